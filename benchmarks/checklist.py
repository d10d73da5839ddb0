"""Checklist benchmark: hand-written requests against the claims compiled from them.

    python -m benchmarks.checklist

A claim is right if it is among those written beside the request, kind, thing, colour, number,
side and all; precision and recall count claims over all requests, F1 is their harmonic mean.
Prompts in the words of photographers and painters, as people write them to public checkpoints,
are counted apart.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.checklist import Claim
from agent.claims import claims_in
from benchmarks import report
from benchmarks.bench import Bench

FILE = Path(__file__).with_name("checklist_requests.jsonl")
OPEN = Path(__file__).with_name("checklist_open.jsonl")
READ = 30  # of OPEN, the first: what went wrong with them was read while the grammar was written
BENCH = Bench(
    seeds="hand-written requests, no chance",
    higher=("f1", "precision", "recall", "whole", "open.*.f1"),
    over={"precision": "claims", "recall": "claims", "whole": "requests"},
)


@dataclass(frozen=True)
class Request:
    """One request, what was asked before it, and its claims in short."""

    id: str
    text: str
    claims: tuple[str, ...]
    before: str = ""


def load(path: Path = FILE) -> list[Request]:
    """The requests of a file, in its order."""
    held = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Request(one["id"], one["text"], tuple(one["claims"]), one.get("before", "")) for one in held
    ]


def short(claim: Claim) -> str:
    """A claim as it is written beside the requests; sides are told from the left and from above."""
    name = claim.thing
    if claim.kind == "relation":
        other = claim.other_thing
        if claim.relation in ("right of", "below"):
            side = "left of" if claim.relation == "right of" else "above"
            return f"relation: {other} {side} {name}"
        return f"relation: {name} {claim.relation} {other}"
    if claim.kind == "unchanged":
        return "unchanged"
    said = {
        "count": f"{claim.count} {name}",
        "colour": f"{claim.subject} {claim.colour}",
        "background": str(claim.background),
        "size": f"{claim.subject} {claim.size}",
    }
    return f"{claim.kind}: {said.get(claim.kind, name)}"


def compiled(request: Request) -> tuple[str, ...]:
    """The claims that the compiler finds, in short."""
    before = claims_in(request.before) if request.before else ()
    return tuple(short(claim) for claim in claims_in(request.text, before=before))


def figures(requests: Sequence[Request]) -> dict[str, Any]:
    """Precision, recall and F1 over all claims and by kind, 0..1; share of requests all right."""
    hits: Counter[str] = Counter()
    found: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    whole = []
    for request in requests:
        mine, right = set(compiled(request)), set(request.claims)
        whole.append(mine == right)
        for counter, claims in ((hits, mine & right), (found, mine), (wanted, right)):
            counter.update(claim.partition(":")[0] for claim in claims)
    kinds = {kind: _scores(hits[kind], found[kind], wanted[kind]) for kind in sorted(wanted)}
    return {
        "requests": len(requests),
        "whole": report.share(whole),
        **_scores(hits.total(), found.total(), wanted.total()),
        "by_kind": kinds,
    }


def _scores(hits: int, found: int, wanted: int) -> dict[str, Any]:
    both = found + wanted
    return {
        "claims": wanted,
        "precision": hits / found if found else None,
        "recall": hits / wanted if wanted else None,
        "f1": 2 * hits / both if both else None,
    }


def body(found: dict[str, Any]) -> str:
    """The figures as markdown."""
    rows = [(name, *_row(one)) for name, one in [*found["by_kind"].items(), ("all", found)]]
    table = report.table(("kind", "claims", "precision", "recall", "F1"), rows)
    heads = ("prompts of photographs and paintings", "claims", "precision", "recall", "F1")
    open_rows = [
        (f"{one['requests']} whose misses were {key}", *_row(one))
        for key, one in found["open"].items()
    ]
    whole = f"Requests with every claim right: {report.percent(found['whole'])}."
    return f"{table}\n\n{whole}\n\n{report.table(heads, open_rows)}"


def _row(scores: dict[str, Any]) -> tuple[str, ...]:
    percents = (report.percent(scores[key]) for key in ("precision", "recall", "f1"))
    return (str(scores["claims"]), *percents)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How well requests become claims.")
    parser.add_argument("--show", action="store_true", help="print each request that is not right")
    arguments = parser.parse_args()
    requests, open_world = load(), load(OPEN)
    if arguments.show:
        for one in (*requests, *open_world[:READ]):
            mine, right = set(compiled(one)), set(one.claims)
            if mine != right:
                print(f"{one.id} {one.text!r} missed {right - mine} made up {mine - right}")
    found = figures(requests)
    found["open"] = {
        "read": figures(open_world[:READ]),
        "not read": figures(open_world[READ:]),
    }
    print(body(found))
    report.write(
        "checklist", "Checklist: claims", "python -m benchmarks.checklist", found, body(found)
    )


if __name__ == "__main__":
    main()
