"""The planner's training data: every plan in it is one the grammar and the tools allow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from agent import embedded_format as language
from agent.embedded_plan import PICTURE, plan
from agent.plan import validate
from miniature.train import planner_gguf
from miniature.train.planner_mix import dataset
from miniature.train.planner_phrases import grammar
from tools.profile import load_profile
from tools.toolbox import LocalToolbox

EXAMPLES = dataset(1500, 7)


def test_every_plan_is_valid_for_the_tools_that_are_alive() -> None:
    toolbox = LocalToolbox(load_profile("miniature"), None)
    alive = toolbox.names()
    for example in EXAMPLES:
        made = plan(example.target, example.handles, alive)
        validate(made, toolbox, example.handles)
        assert {call.tool for call in made.calls} <= set(alive)


def test_what_a_tool_draws_lies_where_plans_look_for_it() -> None:
    toolbox = LocalToolbox(load_profile("miniature"), None)
    for name in set(toolbox.names()) & PICTURE.keys():
        field = PICTURE[name].partition("[")[0]
        assert field in toolbox.tool(name).output.model_fields, name


def test_every_wording_is_filled_in() -> None:
    for example in EXAMPLES:
        assert example.text
        assert not re.search(r"[{}|]", example.text), example
        assert "@" not in example.text


def test_pictures_are_named_only_where_there_are_some() -> None:
    for example in EXAMPLES:
        for entry in json.loads(example.target) if example.target[0] == "[" else []:
            verb, first = next(iter(entry.items()))
            for image in first if verb == "customize" else [first] if verb in language.ON else []:
                assert image in example.handles or image.startswith("@c")


def test_every_family_comes_up() -> None:
    targets = " ".join(example.target for example in EXAMPLES)
    verbs = (*language.FREE, *language.ON, "customize")
    for word in (*verbs, *(f'"reply":"{kind}"' for kind in language.SPOKEN)):
        assert word in targets
    for key in ("negative_prompt", '"n":', '"seed":', '"steps":', '"again":true', '"@c1"'):
        assert key in targets


def test_the_same_seed_writes_the_same_examples() -> None:
    assert dataset(50, 3) == dataset(50, 3)
    assert dataset(50, 3) != dataset(50, 4)


@pytest.mark.parametrize("name", sorted(grammar()))
def test_no_list_of_the_grammar_is_empty(name: str) -> None:
    assert all(part.strip() for part in grammar()[name])


def test_an_adapter_written_for_llama_cpp_reads_back_the_same(tmp_path: Path) -> None:
    layer = "base_model.model.model.layers.20"
    weights = {
        f"{layer}.self_attn.q_proj.lora_A.weight": torch.randn(4, 576).half().float(),
        f"{layer}.self_attn.q_proj.lora_B.weight": torch.randn(576, 4).half().float(),
        f"{layer}.self_attn.k_proj.lora_B.weight": torch.randn(192, 4).half().float(),
        f"{layer}.mlp.down_proj.lora_B.weight": torch.randn(576, 4).half().float(),
    }
    planner_gguf.write(weights, tmp_path / "adapter.gguf", alpha=8, heads=(9, 3))
    read = planner_gguf.read(tmp_path / "adapter.gguf", heads=(9, 3))
    assert read.keys() == weights.keys()
    for name, matrix in weights.items():
        assert torch.equal(read[name], matrix)
