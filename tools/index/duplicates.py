"""Duplicates: pictures of an index that look alike: scaled, cropped a little, or saved again."""

from __future__ import annotations

from collections import defaultdict

from tools.index.catalogue import Catalogue, Entry
from tools.index.fill import Report
from tools.index.nearest import nearest

CLOSE = 0.97  # cosine from which two pictures may be the same
BITS = 8  # of 64, in which their perceptual hashes may differ
NEIGHBOURS = 8  # looked at for each picture


def duplicates(catalogue: Catalogue, report: Report | None = None) -> list[list[Entry]]:
    """Groups of pictures that are the same to the eye, the first of each by its path first.

    Two are alike when the encoder and the perceptual hash both say so: the one knows what is
    shown, the other where.
    """
    vectors, parent = catalogue.vectors(), dict[int, int]()
    total = len(catalogue)
    every = dict(catalogue.every())

    def head(slot: int) -> int:
        while parent.setdefault(slot, slot) != slot:
            slot = parent[slot]
        return slot

    for done, (slot, entry) in enumerate(every.items()):
        if report and done % 100 == 0:
            report(done, total)
        (hits,) = nearest(catalogue, vectors[slot][None], NEIGHBOURS)
        for hit in hits:
            differ = ((hit.entry.looks ^ entry.looks) & (2**64 - 1)).bit_count()
            if hit.score >= CLOSE and differ <= BITS:
                parent[head(hit.slot)] = head(slot)
    groups: dict[int, list[Entry]] = defaultdict(list)
    for slot, entry in every.items():
        groups[head(slot)].append(entry)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)
