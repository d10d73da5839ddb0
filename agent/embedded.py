"""Embedded: the planner that needs no network: SmolLM2-135M with an adapter, in this process.

llama.cpp runs the 4-bit model on one thread, held to the grammar of `agent/embedded_format.py`,
so that whatever it writes is a valid plan or a reply. What it was taught, and how well it does,
is written in miniature/weights/planner/README.md.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
import time
from pathlib import Path

from agent import embedded_format as language
from agent.by_name import call_by_name
from agent.embedded_plan import plan
from agent.plan import Plan
from agent.planner import PlanRequest
from agent.wording import held_to
from models.smollm import pull
from tools.errors import InvalidInput, Unavailable

ADAPTER = (
    Path(__file__).resolve().parent.parent / "miniature" / "weights" / "planner" / "adapter.gguf"
)
CONTEXT = 3072  # tokens: a request, the plan before it, and its own plan
LONGEST = 320  # tokens of a plan
REQUEST = 1500  # bytes of a request; a token is at least one
LOOK_BACK = 3  # earlier turns planned anew to learn what a follow-up is about
REMEMBERED = 512  # turns
PICTURE = re.compile(r"\bimg\d+\b")


class Model:
    """SmolLM2 behind llama.cpp's server, which stays inside this process.

    Args:
        base: GGUF file of the language model.
        adapter: GGUF file of the LoRA.

    Raises:
        Unavailable: a file is missing or cannot be read by llama.cpp.
    """

    def __init__(self, base: Path, adapter: Path) -> None:
        import xllamacpp

        if not adapter.is_file():
            raise Unavailable(
                f"the planner's adapter {adapter.name!r} is missing; install again, or train it "
                "with `python -m miniature.train.planner`, or name another planner with --llm"
            )
        settings = xllamacpp.CommonParams()
        settings.model.path = str(base)
        settings.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        settings.n_ctx = CONTEXT
        settings.n_parallel = 1
        settings.cache_ram_mib = 0  # else every prompt's state is kept, up to 8 GiB
        # as many threads as cores collapse as soon as anything else runs
        settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
        settings.verbosity = -1
        # the server also listens on loopback: nobody else shall be served
        settings.ui = False
        settings.hostnames = ["127.0.0.1"]
        settings.api_keys = [secrets.token_hex(16)]
        try:
            self._server = xllamacpp.Server(settings)
        except RuntimeError as error:
            raise Unavailable(f"llama.cpp cannot load {base.name!r}: {error}") from error
        self._lock = threading.Lock()

    def complete(self, prompt: str, grammar: str) -> str:
        """The likeliest text that the grammar allows. One caller at a time."""
        with self._lock:
            answer = self._server.handle_completions(
                {"prompt": prompt, "grammar": grammar, "temperature": 0, "n_predict": LONGEST}
            )
        if "choices" not in answer:
            raise Unavailable(f"llama.cpp gave no answer: {answer}")
        return str(answer["choices"][0]["text"])


class Embedded:
    """Plans with the embedded model, loaded at the first request.

    It remembers the plan of each turn it has seen, since a follow-up such as "now in green" is
    about that plan; in a conversation continued later, the last turns are planned anew.
    """

    def __init__(self, base: Path | None = None, adapter: Path = ADAPTER) -> None:
        self._base = base
        self._adapter = adapter
        self._model: Model | None = None
        self._loading = threading.Lock()
        self._began = 0.0
        self._loading_s = 0.0
        self._remembered: dict[tuple[str, ...], str] = {}

    async def plan(self, request: PlanRequest) -> Plan:
        """Plan one request; see `agent.planner.Planner`."""
        return await asyncio.to_thread(self.answer, request)

    def answer(self, request: PlanRequest) -> Plan:
        """Plan one request, blocking: about half a second.

        Raises:
            InvalidInput: the request is empty or too long.
            Unavailable: the model is not here and cannot be fetched.
        """
        if not request.text.strip():
            raise InvalidInput("the request is empty; say what to draw or what to look at")
        if len(request.text.encode()) > REQUEST:
            raise InvalidInput(
                f"the request has {len(request.text.encode())} bytes, the embedded planner reads "
                f"{REQUEST}; make it shorter, or name another planner with --llm"
            )
        if set(PICTURE.findall(request.text.lower())) - set(request.handles):
            return Plan(reply=language.words("missing", request.handles, request.tools.names()))
        if language.GREETING.fullmatch(request.text.strip()):
            return Plan(reply=language.words("hello", request.handles, request.tools.names()))
        if not request.observations and (named := call_by_name(request)):
            return named
        said = tuple(
            turn.text
            for turn in request.history
            if turn.role == "user" and 0 < len(turn.text.encode()) <= REQUEST
        )
        asked = (*said, request.text)
        if request.observations and asked in self._remembered:  # it is too small to mend a plan
            compact = self._remembered[asked]
        else:
            compact = self._write(asked, request, LOOK_BACK)
        made = plan(compact, request.handles, request.tools.names(), request.sizes)
        return held_to(request.text, made, follows=bool(said))

    def load(self) -> Model:
        """The model, fetched and loaded if it is not yet."""
        with self._loading:
            if self._model is None:
                self._began = time.perf_counter()
                try:
                    self._model = Model(self._base or pull(), self._adapter)
                finally:
                    self._loading_s += time.perf_counter() - self._began
                    self._began = 0.0
            return self._model

    def loading_s(self) -> float:
        """Seconds that fetching and loading have taken so far, one that goes on included."""
        began = self._began
        return self._loading_s + (time.perf_counter() - began if began else 0.0)

    def _write(self, said: tuple[str, ...], request: PlanRequest, back: int) -> str:
        """The compact plan of the last of `said`, with that of the one before it in mind."""
        before = self._before(said[:-1], request, back) if said[1:] and back else ""
        last = before if before.startswith("[") else ""
        asked = language.prompt(said[-1], request.handles, last)
        grammar = language.grammar(request.handles)
        written = self.load().complete(asked, grammar)
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[said] = written
        return written

    def _before(self, said: tuple[str, ...], request: PlanRequest, back: int) -> str:
        """What was planned at an earlier turn. Only earlier ones: pictures come and go."""
        if said not in self._remembered:
            return self._write(said, request, back - 1)
        return self._remembered[said]
