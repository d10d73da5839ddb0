"""Benchmarks: how good the miniature family and the loop are, each figure a command."""
