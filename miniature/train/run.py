"""Run: the training loop that every recipe shares: wall-clock schedule, log, saving, resuming.

A run is given minutes, not steps: the learning rate warms up, then falls to zero as the time
runs out, so that whatever machine it is on, the weights it leaves are finished ones. To go on
later, start the recipe again: it loads the weights it saved and warms up anew.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
WARM_UP = 150  # steps


def arguments(
    description: str, minutes: float, out: Path = WEIGHTS, names: Sequence[str] = ()
) -> argparse.Namespace:
    """The options that every recipe has: minutes, seed, device, threads, out.

    Args:
        description: what is printed for --help.
        minutes: unless others are given.
        out: where to, unless another folder is given.
        names: of recipes to choose from, all unless some are given; options.names.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if names:
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(names)}")
    parser.add_argument("--minutes", type=float, default=minutes, help="wall-clock time to train")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights; first scene read")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of this process")
    parser.add_argument("--out", type=Path, default=out, help="folder to write to")
    options = parser.parse_args()
    if names:
        options.names = options.names or list(names)
        if strange := sorted(set(options.names) - set(names)):
            parser.error(f"no recipe {strange[0]!r}; there are: {', '.join(names)}")
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    return options


class Follower(Protocol):
    """Something that moves after each step, such as an average of the weights."""

    def update(self) -> None: ...


def multiplies_bfloat16(device: str) -> bool:
    """Whether the hardware does; a CPU that does not takes ten times as long."""
    return device != "cpu" or bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def autocast(device: str) -> torch.autocast:
    """Bfloat16 where the hardware multiplies in it."""
    return torch.autocast(device, torch.bfloat16, enabled=multiplies_bfloat16(device))


def fit(
    parameters: Iterable[nn.Parameter],
    loss: Callable[[int], dict[str, Tensor]],
    save: Callable[[], None],
    *,
    options: argparse.Namespace,
    log: Path,
    batch: int,
    rate: float,
    decay: float = 0.01,
    average: Follower | None = None,
    betas: tuple[float, float] = (0.9, 0.99),
    warm_up: int = WARM_UP,
) -> int:
    """Train for `options.minutes`.

    Args:
        parameters: what the optimizer (AdamW) moves.
        loss: step number -> named terms, each a scalar; their sum is minimised. Called under
            `autocast`.
        save: writes the weights; called every five minutes and at the end.
        options: from `arguments`.
        log: JSON lines, one a minute: step, seconds, samples per second, mean of each term.
        batch: samples a step, for the log.
        rate: peak learning rate.
        decay: AdamW weight decay.
        average: moved after each step, when given.
        betas: AdamW's.
        warm_up: steps until the learning rate is at its peak.

    Returns:
        Steps taken.
    """
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=decay, betas=betas, fused=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    start = said = saved = time.monotonic()
    sums: dict[str, float] = {}
    step, since = 0, 0

    def say(now: float) -> None:
        line = {
            "step": step,
            "seconds": round(now - start),
            "samples_per_s": round(since * batch / (now - said), 1),
            **{name: round(value / since, 4) for name, value in sums.items()},
        }
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(line, flush=True)

    while (spent := (time.monotonic() - start) / (60 * options.minutes)) < 1:
        factor = min(1.0, (step + 1) / warm_up) * (0.5 + 0.5 * math.cos(math.pi * spent))
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
        with autocast(options.device):
            terms = loss(step)
        total = torch.stack([term.float() for term in terms.values()]).sum()
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if average is not None:
            average.update()
        step, since = step + 1, since + 1
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + float(term.detach())
        now = time.monotonic()
        if now - said >= 60:
            say(now)
            said, sums, since = now, {}, 0
        if now - saved >= 300:
            save()
            saved = now
    if since:
        say(time.monotonic())
    save()
    return step


def save_half(model: Any, folder: Path) -> None:
    """Save a copy of a transformers or diffusers model as float16 safetensors."""
    copy.deepcopy(model).half().save_pretrained(folder)


class WeightAverage:
    """Exponential moving average of a module's weights, slower as training goes on."""

    def __init__(self, module: nn.Module, decay: float = 0.9995) -> None:
        self.module = module
        self.decay = decay
        self.steps = 0
        self.weights = {name: value.detach().clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the module's present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in self.module.state_dict().items():
            if value.dtype.is_floating_point:
                self.weights[name].lerp_(value, 1 - decay)
