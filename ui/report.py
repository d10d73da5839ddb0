"""Report: the JSON of `sightloop run` and `sightloop plan`; its keys are a promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.plan import Plan
    from agent.state import CallRecord, Check, RunResult


def run_report(result: RunResult, paths: Mapping[str, str], conversation: str) -> dict[str, Any]:
    """A run as JSON.

    Args:
        result: what the agent handed over.
        paths: handle of each picture to the file where the person finds it.
        conversation: its id, which `sightloop run --talk` takes.
    """
    return {
        "reply": result.reply,
        "images": [
            {
                "handle": each.handle,
                "path": paths.get(each.handle, each.path),
                "id": each.id,
                "tool": each.tool,
                "parents": list(each.parents),
            }
            for each in result.images
        ],
        "calls": [_call(each) for each in result.calls],
        "checks": [_check(each) for each in result.checks],
        "stopped": result.stopped,
        "budget": result.budget.model_dump(mode="json"),
        "conversation": conversation,
    }


def plan_report(plan: Plan) -> dict[str, Any]:
    """A plan as JSON."""
    return {
        "calls": [{"id": each.id, "tool": each.tool, "input": each.input} for each in plan.calls],
        "reply": plan.reply,
    }


def _call(call: CallRecord) -> dict[str, Any]:
    ended = {"output": call.output} if call.error is None else {"error": call.error}
    return {
        "id": call.id,
        "tool": call.tool,
        "input": call.input,
        **ended,
        "seconds": round(call.seconds, 3),
        "status": call.status,
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "claim": check.claim.text,
        "kind": check.claim.kind,
        "verdict": check.verdict,
        "witnesses": [each.model_dump(mode="json") for each in check.witnesses],
        "evidence": check.evidence,
    }
