"""Calls of a language model through its provider's own client library, imported when needed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol

import anyio.to_thread
import httpx2

from ordinaut_mcp.domain.clean import BODY, strict_loads
from ordinaut_mcp.domain.tool import Fault, FaultKind
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.web.model_faults import fault_of
from ordinaut_mcp.web.prompt import Prompt

ANSWER_WITHIN: Final = 600.0
"""Seconds without a byte of an answer; the step's own time-out is usually shorter."""
CONNECT_WITHIN: Final = 5.0
MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSettings:
    """Which model, where, and what it costs; prices are for a million tokens."""

    model: str | None
    api_key: str | None = None
    base_url: str | None = None
    max_tokens: int = 4096
    input_price: float | None = None
    output_price: float | None = None
    answer_within: float = ANSWER_WITHIN

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """In the currency of the prices; None where they are not known."""
        if self.input_price is None or self.output_price is None:
            return None
        cost = input_tokens * self.input_price + output_tokens * self.output_price
        return round(cost / MILLION, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a provider's answer says; `unfinished`: why it is not the whole answer."""

    text: str
    input_tokens: int
    output_tokens: int
    unfinished: str | None = None


class Dialect(Protocol):
    """How one provider is spoken to."""

    @property
    def package(self) -> str:
        """Its client library."""
        ...

    def client(
        self, library: Any, settings: ModelSettings, http: httpx2.AsyncClient
    ) -> AbstractAsyncContextManager[Any]:
        """The library's client, which repeats nothing by itself."""
        ...

    async def ask(
        self, client: Any, prompt: Prompt, *, library: Any, settings: ModelSettings
    ) -> str:
        """One call; the answer's JSON as it came."""
        ...

    def read(self, answer: Any) -> Said | None:
        """What the answer says; None where it is not of the provider's form."""
        ...


class ProviderModel:
    """The port of models, over any provider."""

    def __init__(self, dialect: Dialect, settings: ModelSettings) -> None:
        self._dialect = dialect
        self._settings = settings

    async def complete(
        self, instruction: str, *, data: Mapping[str, Any], output_schema: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | Fault:
        """One model call: `{text, usage}`."""
        if problem := self._not_configured():
            return problem
        try:
            # It takes about a second, in which no lease would be renewed.
            library = await anyio.to_thread.run_sync(import_module, self._dialect.package)
        except ModuleNotFoundError:
            return _not_configured(
                f"The client library '{self._dialect.package}' is not installed.",
                "Install it where the runtime runs: pip install 'ordinaut-mcp[llm]'",
            )
        prompt = Prompt(instruction, data, output_schema)
        try:
            answer = await self._asked(library, prompt)
        except library.APIError as error:
            return fault_of(error, library=library, secret=self._settings.api_key)
        return self._result(answer)

    def _not_configured(self) -> Fault | None:
        settings = self._settings
        if not settings.model:
            return _not_configured(
                "No model is named.", "Set ORDINAUT_LLM_MODEL, then start the runtime again."
            )
        if not settings.api_key and not settings.base_url:
            return _not_configured(
                "There is no key for the provider.",
                "Set ORDINAUT_LLM_API_KEY, then start the runtime again.",
            )
        return None

    async def _asked(self, library: Any, prompt: Prompt) -> str:
        times = httpx2.Timeout(self._settings.answer_within, connect=CONNECT_WITHIN)
        http = httpx2.AsyncClient(timeout=times, trust_env=False, follow_redirects=False)
        async with http, self._dialect.client(library, self._settings, http) as client:
            return await self._dialect.ask(client, prompt, library=library, settings=self._settings)

    def _result(self, answer: str) -> Mapping[str, Any] | Fault:
        try:
            said = self._dialect.read(strict_loads(answer, field="the answer", limits=BODY))
        except InvalidInput as error:
            return _unreadable(error.message)
        if said is None:
            return _unreadable("the answer is not of the provider's form")
        usage = {
            "input_tokens": said.input_tokens,
            "output_tokens": said.output_tokens,
            "cost": self._settings.cost(said.input_tokens, said.output_tokens),
        }
        if said.unfinished:
            return Fault(
                kind=FaultKind.BAD_OUTPUT,
                message=f"The model's answer is not whole: {said.unfinished}.",
                hint="Ask for less, or set ORDINAUT_LLM_MAX_TOKENS higher.",
                sent=True,
                usage=usage,
            )
        return {"text": said.text, "usage": usage}


def _not_configured(message: str, hint: str) -> Fault:
    return Fault(kind=FaultKind.NOT_REACHABLE, message=message, hint=hint)


def _unreadable(why: str) -> Fault:
    return Fault(
        kind=FaultKind.BAD_OUTPUT,
        message=f"What the provider answered cannot be read: {why}.",
        hint="Look whether ORDINAUT_LLM_BASE_URL leads to the provider's API.",
        sent=True,
    )
