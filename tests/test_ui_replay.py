"""`sightloop replay`: a kept picture is made again, byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent.store import Origin, Store
from tests.conftest import Ended
from tools.generate import GenerateInput, GenerateOutput
from tools.profile import load_profile
from tools.toolbox import LocalToolbox
from tools.values import Image


def test_a_picture_is_made_again_from_its_recipe(
    profile: Path, home: Path, sightloop: Callable[..., Ended]
) -> None:
    toolbox = LocalToolbox(load_profile(profile))
    asked = GenerateInput(prompt="a dog", n=2, seed=4, steps=2)
    drawn = asyncio.run(toolbox.call("generate", asked))
    assert isinstance(drawn, GenerateOutput)
    store = Store(home / "store")
    origin = Origin(
        tool="generate",
        version=toolbox.tool("generate").version,
        input=asked.model_dump(mode="json"),
        index=1,
        seed=5,
        checkpoint=toolbox.checkpoint_digest("generate"),
    )
    good = store.put(drawn.images[1], origin)
    false = store.put(drawn.images[0], origin)
    given = store.put(Image.from_pixels(np.zeros((4, 4, 3), np.uint8)), Origin(tool="upload"))
    store.close()
    toolbox.close()

    again = sightloop("replay", good, "--profile", profile, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["differ"] == 0
    assert json.loads(again.out)["changed_since"] == []
    other = sightloop("replay", false, "--profile", profile)
    assert other.code == 1
    assert "0 of" not in other.out
    assert "there is no recipe" in sightloop("replay", given, "--profile", profile).err
    assert "no picture" in sightloop("replay", "0" * 64, "--profile", profile).err
