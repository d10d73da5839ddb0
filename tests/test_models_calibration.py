"""Calibration: curves are fitted, kept beside the weights, and change what tools believe."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fitting
from models import blip, calibration, clip, owl, weights
from models.calibration import Curve, logit
from models.errors import Unavailable
from tools.classify import NONE, Classify, ClassifyOutput
from tools.errors import InvalidInput
from tools.values import Image
from tools.vqa import Vqa, VqaOutput

NOISE = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)


def copied(tiny: Path, name: str, folder: Path, **curves: Curve) -> str:
    shutil.copytree(tiny / name, folder)
    calibration.write(folder, curves)
    return str(folder)


def test_without_a_curve_a_score_stays_what_it_is() -> None:
    scores = np.array([0.001, 0.3, 0.5, 0.99])
    np.testing.assert_allclose(calibration.AS_IT_IS(scores), scores, atol=1e-9)


def test_the_curve_that_made_the_truth_is_found_again() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.01, 0.99, 6000)
    words = rng.choice(["dog", "cat"], 6000)
    true = Curve(0.5, 1.0, {"dog": 1.0, "cat": -1.0})
    chances = [true(score, word) for score, word in zip(scores, words, strict=True)]
    came = rng.random(6000) < np.array(chances)
    found = fitting.curve(scores.tolist(), came.tolist(), words.tolist())
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.middles["dog"] == pytest.approx(1.0, abs=0.25)
    assert found.middles["cat"] == pytest.approx(-1.0, abs=0.25)
    beliefs = [float(found(score, word)) for score, word in zip(scores, words, strict=True)]
    assert fitting.error(beliefs, came.tolist()) < 0.03 < fitting.error(list(scores), list(came))


def test_too_sure_labels_are_made_less_sharp() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(800, 4))
    true = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    right = [int(rng.choice(4, p=row)) for row in true]
    sharp = np.exp(2 * logits) / np.exp(2 * logits).sum(1, keepdims=True)
    assert fitting.sharpness(sharp.tolist(), right) == pytest.approx(0.5, abs=0.1)


def test_nothing_is_fitted_to_what_always_comes_true() -> None:
    assert fitting.curve([0.1, 0.9], [True, True]) == Curve()


def test_curves_are_kept_and_change_the_digest(tiny: Path, tmp_path: Path) -> None:
    folder = Path(copied(tiny, "owl", tmp_path / "owl", box=Curve(2.0, 0.5, {"dog": -1.0})))
    before = weights.digest(str(folder))
    calibration.write(folder, {"other": Curve()})
    assert calibration.read(folder) == {"box": Curve(2.0, 0.5, {"dog": -1.0}), "other": Curve()}
    assert weights.digest(str(folder)) != before
    (folder / calibration.FILE).write_text('{"box": {"bend": 1}}')
    with pytest.raises(Unavailable, match="cannot be read"):
        calibration.read(folder)


def test_a_detectors_scores_pass_through_the_curve_of_their_noun(
    tiny: Path, tmp_path: Path
) -> None:
    curve = Curve(0.7, 0.2, {"dog": -0.5})
    calibrated = owl.load(copied(tiny, "owl", tmp_path / "owl", box=curve), "cpu", "auto")
    plain = owl.load(str(tiny / "owl"), "cpu", "auto")
    for phrase in ("cat", "red dog"):
        (raw,), (found,) = (
            one.boxes([NOISE], [[phrase]], thresholds=[0.0], overlap=1.0)
            for one in (plain, calibrated)
        )
        expected = curve([max(one.score for one in raw)], phrase)
        assert max(one.score for one in found) == pytest.approx(float(expected[0]), abs=1e-3)


def test_a_network_that_was_told_when_nothing_fits_says_none_of_these(
    tiny: Path, tmp_path: Path
) -> None:
    asked = {"image": Image.from_pixels(NOISE), "labels": ("dog", "cat")}
    tool = Classify()
    tool.load(str(tiny / "clip"), "cpu", "auto")
    (refusal,) = tool.run([tool.parse({**asked, "none": True})])
    assert isinstance(refusal, InvalidInput)
    assert "not calibrated" in str(refusal)
    folder = copied(tiny, "clip", tmp_path / "clip", fits=Curve(1.0, float(logit(0.9999))))
    tool.load(folder, "cpu", "auto")
    assert clip.load(folder, "cpu", "auto").knows_none
    one, other = tool.run([tool.parse(asked), tool.parse({**asked, "none": True})])
    assert isinstance(one, ClassifyOutput)
    assert isinstance(other, ClassifyOutput)
    assert {each.label for each in one.probabilities} == {"dog", "cat"}
    assert other.probabilities[0].label == NONE
    assert sum(each.probability for each in other.probabilities) == pytest.approx(1, abs=1e-3)


def test_an_answer_that_is_more_likely_wrong_than_right_is_unsure(
    tiny: Path, tmp_path: Path
) -> None:
    asked = {"image": Image.from_pixels(NOISE), "question": "how many dogs are there?"}
    for name, middle, sure in (("shy", 1e3, False), ("bold", -1e3, True)):
        folder = copied(tiny, "blip", tmp_path / name, number=Curve(1.0, middle))
        tool = Vqa()
        tool.load(folder, "cpu", "auto")
        (said,) = tool.run([tool.parse(asked)])
        assert isinstance(said, VqaOutput)
        assert (said.answer == "unsure") != sure
        assert (said.confidence > 0.99) == sure
        assert said.guess != "unsure"


@pytest.mark.parametrize(
    ("question", "yes_no", "kind"),
    [
        ("is there a dog?", True, "yes or no"),
        ("is the dog to the left of the cat?", True, "side"),
        ("How many dogs are there?", False, "number"),
        ("what color is the dog?", False, "word"),
    ],
)
def test_each_kind_of_question_has_a_curve(question: str, yes_no: bool, kind: str) -> None:
    assert blip.kind(question, yes_no) == kind
