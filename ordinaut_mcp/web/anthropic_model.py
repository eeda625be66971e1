"""Anthropic's messages."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final, cast

import httpx2

from ordinaut_mcp.web.model import ModelSettings, Said
from ordinaut_mcp.web.prompt import Prompt

HOME: Final = "https://api.anthropic.com"
_UNFINISHED: Final = {
    "max_tokens": "it was cut at the largest number of tokens",
    "model_context_window_exceeded": "the model's context is full",
    "refusal": "the model declined",
}
_COUNTED: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class AnthropicDialect:
    """POST {base_url}/v1/messages."""

    package = "anthropic"

    def client(
        self, library: Any, settings: ModelSettings, http: httpx2.AsyncClient
    ) -> AbstractAsyncContextManager[Any]:
        """The library's client, which repeats nothing by itself."""
        return library.AsyncAnthropic(
            api_key=settings.api_key or "none",
            base_url=settings.base_url or HOME,
            max_retries=0,
            timeout=http.timeout,
            http_client=http,
        )

    async def ask(
        self, client: Any, prompt: Prompt, *, library: Any, settings: ModelSettings
    ) -> str:
        """One call; the answer's JSON as it came."""
        answer = await client.messages.with_raw_response.create(
            model=settings.model,
            max_tokens=settings.max_tokens,
            system=prompt.rules,
            messages=[{"role": "user", "content": prompt.question}],
            **_form(prompt, library),
        )
        return answer.http_response.text

    def read(self, answer: Any) -> Said | None:
        """What the answer says; None where it is not of the provider's form."""
        match answer:
            case {
                "content": [*parts],
                "stop_reason": str(reason),
                "usage": {"input_tokens": int(), "output_tokens": int(made), **more},
            }:
                usage = {**more, "input_tokens": answer["usage"]["input_tokens"]}
            case _:
                return None
        texts = [part["text"] for part in parts if _is_text(part)]
        given = sum(int(usage.get(name) or 0) for name in _COUNTED)
        return Said(
            text="".join(texts),
            input_tokens=given,
            output_tokens=made,
            unfinished=_UNFINISHED.get(reason),
        )


def _is_text(part: Any) -> bool:
    match part:
        case {"type": "text", "text": str()}:
            return True
        case _:
            return False


def _form(prompt: Prompt, library: Any) -> dict[str, Any]:
    """The schema as the provider takes it: a subset, made by its own library; the whole one is
    in the rules. What the library cannot make is asked for in words only."""
    if not prompt.root_is_object:
        return {}
    try:
        schema = cast("dict[str, Any]", library.transform_schema(dict(prompt.output_schema or {})))
    except (ValueError, TypeError, AttributeError, AssertionError, RecursionError):
        return {}
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
