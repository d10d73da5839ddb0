"""Planners behind a name: scripts, and any LangChain chat model through native tool calling."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from agent.language import ChatModel, messages, planner
from agent.messages import Message, Observation
from agent.plan import validate
from agent.planner import PlanRequest
from tools.errors import InvalidInput, Unavailable
from tools.profile import load_profile
from tools.toolbox import LocalToolbox, Toolbox


@pytest.fixture(scope="module")
def toolbox() -> Toolbox:
    return LocalToolbox(load_profile("miniature"), None)


class Parrot(BaseChatModel):
    """Says what it is told to, and keeps what it heard and which tools it was given."""

    says: list[AIMessage]
    _heard: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _tools: list[dict[str, Any]] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        self._tools = [convert_to_openai_tool(tool) for tool in tools]
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self._heard.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.says[len(self._heard) - 1])])


def tool_call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": f"call_{name}"}


async def test_native_tool_calls_become_a_plan_that_is_valid(toolbox: Toolbox) -> None:
    calls = [
        tool_call("generate", prompt="a cat"),
        tool_call("vqa", image="@c1.images[0]", question="how many cats are there?"),
    ]
    model = Parrot(says=[AIMessage("", tool_calls=calls)])
    plan = await ChatModel(model, "test:parrot").plan(PlanRequest("draw a cat, count", toolbox))
    assert [(call.id, call.tool) for call in plan.calls] == [("c1", "generate"), ("c2", "vqa")]
    validate(plan, toolbox, ())


async def test_the_chat_model_gets_every_live_tool_with_pictures_as_names(toolbox: Toolbox) -> None:
    model = Parrot(says=[AIMessage("hello")])
    await ChatModel(model, "test:parrot").plan(PlanRequest("hi", toolbox, handles=("img1",)))
    functions = {tool["function"]["name"]: tool["function"] for tool in model._tools}
    assert sorted(functions) == toolbox.names()
    picture = functions["caption"]["parameters"]["properties"]["image"]
    assert picture["type"] == "string"
    assert "img1" in picture["description"]
    assert "img1" in str(model._heard[0][0].content)


async def test_the_chat_model_hears_the_conversation_and_what_went_wrong(toolbox: Toolbox) -> None:
    model = Parrot(says=[AIMessage("sorry")])
    request = PlanRequest(
        "what is it?",
        toolbox,
        history=(
            Message(role="user", text="hello", images=("img1",)),
            Message(role="assistant", text="hi"),
        ),
        handles=("img1",),
        observations=(Observation(call="c1", tool="vqa", status="failed", text="no weights"),),
    )
    plan = await ChatModel(model, "test:parrot").plan(request)
    heard = [str(message.content) for message in model._heard[0][1:]]
    assert heard[:3] == ["hello (with img1)", "hi", "what is it?"]
    assert 'c1 vqa: failed: "no weights"' in heard[3]
    assert plan.reply == "sorry"
    assert plan.calls == ()


async def test_a_call_that_is_no_json_is_refused_in_words(toolbox: Toolbox) -> None:
    broken = {
        "name": "vqa",
        "args": "{oops",
        "id": "1",
        "error": "not JSON",
        "type": "invalid_tool_call",
    }
    model = Parrot(says=[AIMessage("", invalid_tool_calls=[broken])])
    with pytest.raises(InvalidInput, match="vqa: not JSON"):
        await ChatModel(model, "test:parrot").plan(PlanRequest("what?", toolbox))


async def test_a_provider_that_fails_is_unavailable(toolbox: Toolbox) -> None:
    with pytest.raises(Unavailable, match="'test:parrot' gave no answer"):
        await ChatModel(Parrot(says=[]), "test:parrot").plan(PlanRequest("hi", toolbox))


async def test_a_chat_model_without_tool_calling_is_unavailable(toolbox: Toolbox) -> None:
    class Mute(Parrot):
        def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
            return BaseChatModel.bind_tools(self, tools, **kwargs)

    with pytest.raises(Unavailable, match="cannot call tools"):
        await ChatModel(Mute(says=[]), "test:mute").plan(PlanRequest("hi", toolbox))


async def test_a_script_serves_its_plans_in_order_and_says_when_it_is_done(
    tmp_path: Path, toolbox: Toolbox
) -> None:
    script = tmp_path / "plans.json"
    plans = [
        {"calls": [{"id": "c1", "tool": "generate", "input": {"prompt": "a cat"}}]},
        {"reply": "hi"},
    ]
    script.write_text(json.dumps(plans))
    served = planner(f"script:{script}")
    first = await served.plan(PlanRequest("anything", toolbox))
    assert first.calls[0].input == {"prompt": "a cat"}
    assert (await served.plan(PlanRequest("anything", toolbox))).reply == "hi"
    with pytest.raises(InvalidInput, match="no more plans; it held 2"):
        await served.plan(PlanRequest("anything", toolbox))


@pytest.mark.parametrize(
    ("text", "says"),
    [(None, "cannot be read"), ("{}", "is no list of plans"), ('[{"cals": []}]', "cals")],
)
def test_a_script_that_cannot_be_read_says_why(tmp_path: Path, text: str | None, says: str) -> None:
    script = tmp_path / "plans.json"
    if text is not None:
        script.write_text(text)
    with pytest.raises(InvalidInput, match=says):
        planner(f"script:{script}")


@pytest.mark.parametrize("spec", ["", "gpt", "embedded:big", "script:", "nobody:model"])
def test_an_unknown_planner_names_those_there_are(spec: str) -> None:
    with pytest.raises((InvalidInput, Unavailable), match="there are: 'embedded'"):
        planner(spec)


def test_a_long_conversation_is_shortened_and_keeps_its_pictures(toolbox: Toolbox) -> None:
    said = [
        Message(
            role="user" if n % 2 == 0 else "assistant", text=f"turn {n} about img{n} " + "x" * 300
        )
        for n in range(60)
    ]
    told = messages(PlanRequest("and now?", toolbox, tuple(said), ("img1",)))
    assert len(told) == 1 + 1 + 16 + 1
    assert all(f"[img{n}]" in str(told[1].content) for n in range(44))
    assert len(str(told[1].content)) < 44 * 130
