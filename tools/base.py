"""Base: what every tool is: typed records in, typed records out, a batch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from tools.errors import InvalidInput, ToolError
from tools.values import Image


class Record(BaseModel):
    """Frozen typed values; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
"""Words; not empty."""

In = TypeVar("In", bound=Record)
Out = TypeVar("Out", bound=Record)

Progress = Callable[[int, int, Image | None], None]
"""Called with step, total and, now and then, a preview. What it raises ends the run."""


class NoOptions(Record):
    """A tool that has nothing to set in the profile."""


def share(value: float) -> float:
    """A number in 0..1 with four decimals: more of them differ with the size of the batch."""
    return round(min(1.0, max(0.0, value)), 4)


def explain(error: ValidationError) -> str:
    """One line out of a validation error: each field with what is wrong and what was given."""
    lines = []
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in item["loc"]) or "input"
        if item["type"] in ("missing", "extra_forbidden", "image", "mask"):
            lines.append(f"{where}: {item['msg']}")
        else:
            given = repr(item["input"])
            lines.append(f"{where}: {item['msg']}, got {given[:60]}")
    return "; ".join(lines)


class Tool(ABC, Generic[In, Out]):
    """One specialist.

    The first line of a subclass's docstring is what the planner reads. `version` goes up when
    the same inputs would give other outputs, and with it every cached result is forgotten.

    Attributes:
        cached: whether the request and the weights alone decide the answer, so that it may be kept.
        options: thresholds and the like, from the profile; see `options_type`.
        needs: names of other networks that the tool holds beside its own; `load` loads them too.
        parts: their checkpoints, from the profile.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    cached: ClassVar[bool] = True
    input: type[In]
    output: type[Out]
    needs: ClassVar[tuple[str, ...]] = ()
    options_type: ClassVar[type[Record]] = NoOptions
    options: Any

    def __init__(
        self, options: Mapping[str, Any] | None = None, parts: Mapping[str, str] | None = None
    ) -> None:
        self.parts = dict(parts or {})
        if unknown := sorted(set(self.parts) - set(self.needs)):
            raise InvalidInput(
                f"parts of tool {self.name!r}: it holds no {unknown[0]!r}; "
                f"there are: {', '.join(self.needs) or 'none'}"
            )
        try:
            self.options = self.options_type.model_validate(dict(options or {}))
        except ValidationError as error:
            known = ", ".join(self.options_type.model_fields) or "none"
            raise InvalidInput(
                f"options of tool {self.name!r}: {explain(error)}; there are: {known}"
            ) from error

    @property
    def description(self) -> str:
        """What the tool does, in one line."""
        return (type(self).__doc__ or "").strip().splitlines()[0]

    @property
    def arguments(self) -> list[str]:
        """The names of what it takes, those that it needs first."""
        fields = self.input.model_fields
        return sorted(fields, key=lambda name: not fields[name].is_required())

    def parse(self, arguments: Mapping[str, Any]) -> In:
        """Build the input record.

        Raises:
            InvalidInput: a field is missing, unknown or wrong; all of them in one line.
        """
        try:
            return self.input.model_validate(dict(arguments))
        except ValidationError as error:
            known = ", ".join(self.arguments)
            raise InvalidInput(f"{self.name}: {explain(error)} (arguments: {known})") from error

    @abstractmethod
    def load(self, checkpoint: str, device: str, dtype: str) -> None:
        """Bring the network into memory, once per process.

        Args:
            checkpoint: as in `weights.locate`: a folder, a hub id, or "package:NAME".
            device: "auto", "cpu", "cuda", "cuda:1".
            dtype: "auto", "float32", "bfloat16", "float16".

        Raises:
            Unavailable: the checkpoint is missing, damaged, or of a class that does not fit.
        """

    def unload(self) -> None:
        """Let go of the network; `load` brings it back."""
        for held in vars(self).keys() - {"options", "parts"}:
            delattr(self, held)

    def check(self, request: In) -> None:
        """Refuse, cheaply and before any network runs, what types alone cannot.

        Raises:
            InvalidInput: the request cannot be answered as it stands.
        """

    def run(
        self, requests: Sequence[In], progress: Progress | None = None
    ) -> list[Out | ToolError]:
        """Answer a batch: the i-th result is for the i-th request, a result or its error."""
        results: list[Out | ToolError] = []
        good: list[In] = []
        for request in requests:
            try:
                self.check(request)
            except InvalidInput as error:
                results.append(error)
            else:
                results.append(_PENDING)
                good.append(request)
        answers = iter(self.answer(good, progress) if good else ())
        return [next(answers) if result is _PENDING else result for result in results]

    def facts(self, request: In) -> dict[str, Any]:
        """What else decides the answer, beside request, options and weights: JSON values."""
        return {}

    @abstractmethod
    def answer(
        self, requests: Sequence[In], progress: Progress | None
    ) -> Sequence[Out | ToolError]:
        """Answer requests that passed `check`; the i-th result is for the i-th request.

        An InvalidInput in place of a result is for what only the network could find out.
        """


_PENDING = ToolError("not answered yet")
