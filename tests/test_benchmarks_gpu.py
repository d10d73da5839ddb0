"""The GPU benchmark runs end to end at tiny size on a CPU, on the public classes."""

from __future__ import annotations

import pytest

from benchmarks import gpu
from benchmarks.hub_size import SIZES


def test_each_network_is_timed_both_ways_and_against_the_roofline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu, "STEPS", 2)
    found = gpu.measure(SIZES["tiny"], "cpu", 1, 1)
    assert set(found["networks"]) == set(gpu.NETWORKS)
    for name, one in found["networks"].items():
        assert one["teraflop_a_picture"] > 0, name
        assert one["ours_per_s"] > 0, name
        assert one["of_roofline"] > 0, name
    assert "| clip |" in gpu.body({**found, "size": "tiny"})
