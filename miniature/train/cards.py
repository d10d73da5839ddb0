"""Cards: a model card beside each checkpoint, and the digests of all files of the family.

    python -m miniature.train.cards

A card's figures come from the reports under docs/benchmarks, its history from the training log,
so that neither can say anything else than what was measured on these weights.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from miniature.train.run import WEIGHTS

REPORTS = Path(__file__).resolve().parents[2] / "docs" / "benchmarks"
DATA = (
    "StickerWorld, drawn on the fly: training seeds below 500,000,000, without the held-out tenth "
    "of the (object, colour) and (object, object) pairs (`miniature/world/splits.py`)."
)
LICENCE = (
    "Apache-2.0. Trained on pictures made of [OpenMoji](https://openmoji.org) drawings, the "
    "open-source emoji and icon project, CC BY-SA 4.0."
)


class Subject(NamedTuple):
    """What a card is about."""

    folder: str
    title: str
    text: str
    recipe: str
    log: str
    figures: tuple[tuple[str, str], ...] = ()  # words, "report:path.to.value"


SUBJECTS = (
    Subject(
        "stable-diffusion",
        "Miniature Stable Diffusion",
        "A `StableDiffusionInpaintPipeline` folder: draws 128x128 pictures from words, paints "
        "under a mask and edits by instruction. AutoencoderTiny (8x, 4 latent channels) whose "
        "decoder reads latents that are a little off, the text tower of `../clip` with its output "
        "centred, a U-Net of nine channels with attention at 8x8 and 4x4, velocity prediction on "
        "a schedule that ends in pure noise, DPM-Solver++.",
        "python -m miniature.train.vae --minutes 24, later --minutes 18 (the decoder alone); "
        "python -m miniature.train.diffusion in runs of 14 (time steps drawn as 1000 u^0.25, rate "
        "1e-3), 6.5, 12, 12 and 32 minutes (u^0.6, rate 6e-4) on scenes of one object, then of 75, "
        "54 (cut off) and 26 minutes (from rate 4e-4) with nine channels; one thread",
        "train.jsonl",
        (),  # StickerEval was last run whole on weights before these
    ),
    Subject(
        "control",
        "Miniature ControlNet",
        "`ControlNetModel` for the U-Net of `../stable-diffusion`: draws along Canny's edges, "
        "white on black, or along regions, each flat in a colour of its own on black. Taught "
        "scenes of one thing or two, anywhere.",
        "python -m miniature.train.control --minutes 16, then --minutes 34 --seed 1",
        "train.jsonl",
        (
            ("things where the map has them", "hands:tools.control.success"),
            ("map kept, IoU", "hands:tools.control.structure"),
        ),
    ),
    Subject(
        "sam",
        "Miniature SAM",
        "`SamModel`: masks from a box or from clicks; a click beside all things means the ground. "
        "Image tower 128 wide, 4 layers, 8 px patches, all attention global.",
        "python -m miniature.train.sam, 20 minutes, then --minutes 50 --seed 8; one thread",
        "train.jsonl",
        (
            ("mean IoU from a box", "eyes:seen.segment.box_miou"),
            ("mean IoU from one click", "eyes:seen.segment.click_miou"),
        ),
    ),
    Subject(
        "clip",
        "Miniature CLIP",
        "`CLIPModel`: pictures and texts in one space; image tower ViT 256 wide, 4 layers, 16 px "
        "patches, text tower 3 layers. Contrastive loss beside dense label supervision.",
        "python -m miniature.train.clip",
        "train.jsonl",
        (("zero-shot object accuracy", "eyes:seen.classify.accuracy"),),
    ),
    Subject(
        "owl",
        "Miniature OWLv2",
        "`Owlv2ForObjectDetection`: boxes for phrases; both towers started from `../clip`.",
        "python -m miniature.train.owl, again and again, from rate 4e-4 down to 1.5e-4, the last "
        "33 minutes with painted scenes from rate 3e-4, then --minutes 10 on crowded scenes",
        "train.jsonl",
        (
            ("AP50", "eyes:seen.ground.ap50"),
            ("boxes on absent phrases", "eyes:seen.ground.boxes_on_absent"),
        ),
    ),
    Subject(
        "blip",
        "Miniature BLIP",
        "`BlipForConditionalGeneration`: captions, and answers after the prefix "
        '"question: ... answer:"; image tower started from `../owl`.',
        "python -m miniature.train.blip, in all some 3 hours on a core; before the last run the "
        "image tower, till then one that had begun as `../clip`, was set to that of `../owl`",
        "train.jsonl",
        (
            ("answers right", "eyes:seen.vqa.accuracy"),
            ("caption scene graph right", "eyes:seen.caption.scene_graph"),
        ),
    ),
    Subject(
        "llava",
        "Miniature LLaVA",
        "`LlavaForConditionalGeneration` (Liu et al. 2023, arXiv:2304.08485) in parts: one linear "
        "projection from the patches of `../clip` (its last two layers side by side), and a LoRA "
        "adapter in PEFT's format, for SmolLM2-135M-Instruct (Ben Allal et al. 2025, "
        "arXiv:2502.02737; Apache-2.0), which is fetched once as the planner's language model. "
        "Captions go on from `the picture shows`, answers from the bare question. The projection "
        "began as that of `../minigpt4`. Far from done: it was shown 614 pictures.",
        "python -m miniature.train.llava llava --minutes 22, on a shared core",
        "train.jsonl",
        (
            ("answers right", "speakers:speakers.LLaVA.seen.vqa.accuracy"),
            ("answers right, held-out pairs", "speakers:speakers.LLaVA.held out.vqa.accuracy"),
            ("caption scene graph right", "speakers:speakers.LLaVA.seen.caption.scene_graph"),
        ),
    ),
    Subject(
        "minigpt4",
        "Miniature in MiniGPT-4's form",
        "As `../llava`, but the language model stays as it came: all that was trained is one "
        "linear projection (Zhu et al. 2023, arXiv:2304.10592). It is there to be compared.",
        "python -m miniature.train.llava minigpt4 --minutes 8, on a shared core",
        "train.jsonl",
        (
            ("answers right", "speakers:speakers.MiniGPT-4.seen.vqa.accuracy"),
            ("answers right, held-out pairs", "speakers:speakers.MiniGPT-4.held out.vqa.accuracy"),
            ("caption scene graph right", "speakers:speakers.MiniGPT-4.seen.caption.scene_graph"),
        ),
    ),
)


def figure(reference: str) -> str:
    """The value behind "report:path.to.value", or what is to be run to have it."""
    name, _, path = reference.partition(":")
    file = REPORTS / f"{name}.json"
    value: Any = json.loads(file.read_text()) if file.is_file() else {}
    for key in path.split("."):
        value = value.get(key, {})
    if isinstance(value, dict):
        return f"not measured yet: `python -m benchmarks.{name}`"
    return f"{100 * value:.1f}%"


def card(subject: Subject) -> str:
    """The model card, markdown."""
    lines = (WEIGHTS / subject.folder / subject.log).read_text().splitlines()
    last = json.loads(lines[-1])
    losses = {k: v for k, v in last.items() if k not in ("step", "seconds", "samples_per_s")}
    rows = "".join(f"| {words} | {figure(path)} |\n" for words, path in subject.figures)
    return f"""# {subject.title}

{subject.text}

| | |
| --- | --- |
| made by | `{subject.recipe}` |
| data | {DATA} |
| last run | {last["step"]} steps, {last["seconds"] / 60:.0f} minutes; loss {losses} |
{rows}| licence | {LICENCE} |

For StickerWorld pictures only: outside it the network knows nothing. Each run of the recipe goes
on from these weights; `{subject.log}` holds the log of all runs.
"""


def tidy(path: Path) -> None:
    """Drop where a file was saved from, which is nobody's business, and let everyone read it."""
    if path.suffix == ".json":
        content = json.loads(path.read_text())
        if isinstance(content, dict) and content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2) + "\n")
    path.chmod(0o644)


def main() -> None:
    for subject in SUBJECTS:
        (WEIGHTS / subject.folder / "README.md").write_text(card(subject))
    files = sorted(
        path
        for path in WEIGHTS.rglob("*")
        if path.suffix in (".safetensors", ".gguf", ".json", ".txt") and path.is_file()
    )
    for path in files:
        tidy(path)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(WEIGHTS).as_posix()}"
        for path in files
    ]
    (WEIGHTS / "SHA256SUMS").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
