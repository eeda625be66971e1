"""OpenAI's chat completions, which local servers speak, too."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import httpx2

from ordinaut_mcp.web.model import ModelSettings, Said
from ordinaut_mcp.web.prompt import Prompt

HOME: Final = "https://api.openai.com/v1"
_UNFINISHED: Final = {
    "length": "it was cut at the largest number of tokens",
    "content_filter": "the provider's filter held it back",
}


class OpenAIDialect:
    """POST {base_url}/chat/completions."""

    package = "openai"

    def client(
        self, library: Any, settings: ModelSettings, http: httpx2.AsyncClient
    ) -> AbstractAsyncContextManager[Any]:
        """The library's client, which repeats nothing by itself."""
        return library.AsyncOpenAI(
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
        del library
        # The older name is the one that other servers know.
        limit = "max_tokens" if settings.base_url else "max_completion_tokens"
        answer = await client.chat.completions.with_raw_response.create(
            model=settings.model,
            messages=[
                {"role": "system", "content": prompt.rules},
                {"role": "user", "content": prompt.question},
            ],
            **{limit: settings.max_tokens},
            **_form(prompt),
        )
        return answer.http_response.text

    def read(self, answer: Any) -> Said | None:
        """What the answer says; None where it is not of the provider's form."""
        match answer:
            case {
                "choices": [{"message": {"content": str(text)}, **choice}, *_],
                "usage": {"prompt_tokens": int(given), "completion_tokens": int(made)},
            }:
                why = _UNFINISHED.get(choice.get("finish_reason", ""))
            case {
                "choices": [{"message": {"refusal": str(refusal)}}, *_],
                "usage": {"prompt_tokens": int(given), "completion_tokens": int(made)},
            }:
                text, why = "", f"the model declined: {refusal[:200]}"
            case _:
                return None
        return Said(text=text, input_tokens=given, output_tokens=made, unfinished=why)


def _form(prompt: Prompt) -> dict[str, Any]:
    """The schema as the provider takes it, not strictly: its strict mode knows a subset only."""
    if not prompt.root_is_object:
        return {}
    schema = {"name": "result", "schema": prompt.output_schema}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
