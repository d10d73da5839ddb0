"""`sightloop bench`: benchmarks are found, run, reported and compared by one small contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import overview, report, suite
from benchmarks.bench import Bench, discover, watched, wilson
from tests.conftest import Ended
from tools.errors import InvalidInput

BENCH = Bench(
    full="--count 100",
    quick="--count 10",
    higher=("*.right",),
    lower=("took_s",),
    over={"*.right": "cases"},
)


def held(right: float, took: float = 2.0, hardware: str = "here") -> dict[str, object]:
    return {"hardware": hardware, "took_s": took, "all": {"cases": 100, "right": right}}


def test_every_committed_report_has_its_benchmark_and_every_benchmark_writes_one() -> None:
    known = discover()
    assert set(overview.read(report.FOLDER)) <= set(known)
    for name in known:
        source = (Path(report.__file__).parent / f"{name}.py").read_text()
        assert f'"{name}"' in source, name


def test_the_figures_that_count_are_in_the_committed_reports() -> None:
    known = discover()
    for name, made in overview.read(report.FOLDER).items():
        assert watched(known[name], made) or not known[name].higher, name


def test_the_overview_is_that_of_the_reports() -> None:
    reports = overview.read(report.FOLDER)
    assert (report.FOLDER / "README.md").read_text() == overview.page(reports)


def test_a_share_has_wilsons_interval_and_a_time_has_none() -> None:
    took, right = watched(BENCH, held(0.9))
    assert right.interval == pytest.approx((0.8256, 0.9448), abs=1e-4)
    assert (took.interval, took.sign) == (None, -1)
    assert wilson(1.0, 10)[1] == 1


@pytest.mark.parametrize(
    ("now", "says"),
    [
        (held(0.5), {"all.right": "worse", "took_s": "same"}),
        (held(0.88), {"all.right": "same", "took_s": "same"}),
        (held(0.99, took=3), {"all.right": "better", "took_s": "worse"}),
        (held(0.9, took=2.01), {"all.right": "same", "took_s": "same"}),
        (held(0.9, took=9, hardware="there"), {"all.right": "same"}),
    ],
)
def test_what_got_worse_is_told_from_chance_and_from_another_machine(
    now: dict[str, object], says: dict[str, str]
) -> None:
    changes = suite.compare(BENCH, held(0.9), now)
    assert {one.now.path: one.verdict for one in changes} == says


def test_a_quick_run_stays_out_of_the_docs() -> None:
    assert report.place("eyes", "python -m benchmarks.eyes --count 300") == report.FOLDER
    assert report.place("eyes", "python -m benchmarks.eyes --count 15") == report.OUT
    assert report.place("checklist", "python -m benchmarks.checklist") == report.FOLDER


def test_a_run_of_all_leaves_out_what_needs_a_file() -> None:
    assert "geneval" in discover()
    assert "geneval" not in suite.chosen([])
    with pytest.raises(InvalidInput, match="no benchmark 'eye'; there are: "):
        suite.chosen(["eye"])


def test_arguments_of_a_benchmark_follow_its_name(
    sightloop: Callable[..., Ended], tmp_path: Path
) -> None:
    assert "judge_accuracy" in sightloop("bench", "--list").out
    two = sightloop("bench", "eyes", "planner", "--count", 3)
    assert two.code == 2
    assert "just one NAME" in two.err


def test_a_report_holds_what_is_needed_to_make_it_again(tmp_path: Path) -> None:
    figures = {"scenes": 100, "whole_scene": 0.9}
    report.write(
        *("judge_accuracy", "Judge", "python -m benchmarks.judge_accuracy", figures, "body"),
        tmp_path,
        profile="miniature",
    )
    made = json.loads((tmp_path / "judge_accuracy.json").read_text())
    assert len(made["checkpoints"]["miniature/weights/clip"]) == 64
    assert made["versions"]["torch"]
    assert made["machine"]["memory_gib"] > 0
    assert made["intervals"]["whole_scene"] == pytest.approx([0.8256, 0.9448], abs=1e-4)
    page = (tmp_path / "README.md").read_text()
    assert "| [judge_accuracy](judge_accuracy.md) | whole_scene ↑ | 90.0% (82.6–94.5) |" in page
    assert (tmp_path / "overview.svg").read_text().startswith("<svg")
