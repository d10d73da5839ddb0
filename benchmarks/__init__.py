"""Benchmarks: how good the miniature family and the loop are, each figure a command."""

from __future__ import annotations

import os

# Read once, when torch is imported: threads that spin while they wait starve the other shard.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
