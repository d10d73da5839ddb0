"""Planner GGUF: LoRA weights of a Llama-shaped model, PEFT's layout to llama.cpp's and back."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import torch
from torch import Tensor

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
BACK = {there: here for here, there in NAMES.items()}
_PEFT = re.compile(r"layers\.(\d+)\.(\w+\.\w+)\.lora_([AB])\.weight$")
_GGUF = re.compile(r"blk\.(\d+)\.(\w+)\.weight\.lora_([ab])$")


def write(weights: dict[str, Tensor], path: Path, *, alpha: float, heads: tuple[int, int]) -> None:
    """Write an adapter in float16.

    Args:
        weights: PEFT's names to matrices: A (rank, inputs), B (outputs, rank).
        alpha: LoRA's alpha; llama.cpp scales by alpha / rank, as PEFT does.
        heads: query heads, key heads; llama.cpp keeps the rows of q and k in another order.
    """
    scratch = path.with_suffix(".part")
    writer = gguf.GGUFWriter(scratch, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
    for name, value in weights.items():
        found = _PEFT.search(name)
        assert found, name
        layer, module, side = found[1], NAMES[found[2]], found[3].lower()
        matrix = value.detach().float()
        if side == "b" and module in ("attn_q", "attn_k"):
            matrix = _interleave(matrix, heads[module == "attn_k"])
        writer.add_tensor(f"blk.{layer}.{module}.weight.lora_{side}", matrix.half().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    scratch.replace(path)


def read(path: Path, *, heads: tuple[int, int]) -> dict[str, Tensor]:
    """The adapter in PEFT's names and order of rows, float32."""
    weights: dict[str, Tensor] = {}
    for tensor in gguf.GGUFReader(path).tensors:
        found = _GGUF.match(tensor.name)
        assert found, tensor.name
        layer, module, side = found[1], found[2], found[3]
        matrix = torch.from_numpy(tensor.data.copy()).float()
        if side == "b" and module in ("attn_q", "attn_k"):
            matrix = _halves(matrix, heads[module == "attn_k"])
        name = f"base_model.model.model.layers.{layer}.{BACK[module]}.lora_{side.upper()}.weight"
        weights[name] = matrix
    return weights


def _interleave(matrix: Tensor, heads: int) -> Tensor:
    """The rows of each head, first half then second half, taken from both in turn."""
    rows, rank = matrix.shape
    halves = matrix.reshape(heads, 2, rows // heads // 2, rank)
    return halves.swapaxes(1, 2).reshape(rows, rank).contiguous()


def _halves(matrix: Tensor, heads: int) -> Tensor:
    """The inverse of `_interleave`."""
    rows, rank = matrix.shape
    pairs = matrix.reshape(heads, rows // heads // 2, 2, rank)
    return pairs.swapaxes(1, 2).reshape(rows, rank).contiguous()
