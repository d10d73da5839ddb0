"""Schedulers: ways through the noise, each made for the noise that a network was trained on."""

from __future__ import annotations

from typing import Any

import diffusers

OWN = "checkpoint"  # the one that lies in the checkpoint
NAMED: dict[str, tuple[str, dict[str, Any]]] = {
    # Lu et al. 2022, arXiv:2211.01095; the other with the steps of Karras et al. 2022,
    # arXiv:2206.00364
    "dpm++": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++"}),
    "dpm++ karras": (
        "DPMSolverMultistepScheduler",
        {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True},
    ),
    "unipc": ("UniPCMultistepScheduler", {}),  # Zhao et al. 2023, arXiv:2302.04867
    "euler": ("EulerDiscreteScheduler", {}),  # Karras et al. 2022, algorithm 2 without churn
    "euler ancestral": ("EulerAncestralDiscreteScheduler", {}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),  # Song et al. 2020, arXiv:2010.02502
    "lcm": ("LCMScheduler", {}),  # Luo et al. 2023, arXiv:2310.04378; for networks distilled so
}
"""Name to the class in diffusers, and what is set apart from the checkpoint's own schedule."""


class Schedulers:
    """The schedulers of one pipeline, made when first asked for."""

    def __init__(self, own: Any) -> None:
        """Start from the scheduler that lies in the checkpoint."""
        self._made: dict[str, Any] = {OWN: own}

    def named(self, name: str) -> Any:
        """A scheduler for the checkpoint's noise.

        Args:
            name: OWN or a key of NAMED.
        """
        if name not in self._made:
            own = self._made[OWN]
            kind, told = NAMED[name]
            stock: Any = getattr(diffusers, kind)
            same = isinstance(own, stock) and all(own.config[key] == told[key] for key in told)
            self._made[name] = own if same else stock.from_config(own.config, **told)
        return self._made[name]
