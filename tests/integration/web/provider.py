"""A local stand-in for model providers that speaks both of their forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.integration.web.site import Reply, Site, answer

PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}


@dataclass
class Provider:
    """Gives the texts in turn, in the form of the provider that it stands for."""

    site: Site
    name: str
    texts: list[str] = field(default_factory=list[str])

    @property
    def base_url(self) -> str:
        """As ORDINAUT_LLM_BASE_URL names it."""
        return f"{self.site.url}/v1" if self.name == "openai" else self.site.url

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of the requests."""
        return [json.loads(one.body) for one in self.site.asked]

    @property
    def rules(self) -> str:
        """What the last request says as the system."""
        last = self.asked[-1]
        return last["messages"][0]["content"] if self.name == "openai" else last["system"]

    @property
    def question(self) -> str:
        """What the last request says as the user."""
        return self.asked[-1]["messages"][-1]["content"]

    def says(self, *texts: str, ended: str | None = None) -> None:
        """Answer with these texts, one for each call."""
        rest = list(texts)

        def reply(line: Any) -> None:
            line.send(as_json(self.body(rest.pop(0), ended)))

        self.site.on(PATHS[self.name], reply)

    def replies(self, reply: Reply) -> None:
        """Answer with these bytes."""
        self.site.on(PATHS[self.name], reply)

    def fails(self, status: str, message: str, *headers: str) -> None:
        """Answer with an error in the provider's form."""
        error = {"type": "error", "error": {"type": "some_error", "message": message}}
        self.replies(as_json(error, *headers, status=status))

    def body(self, text: str, ended: str | None) -> dict[str, Any]:
        """An answer of 100 tokens to a question of 1,000."""
        if self.name == "openai":
            return completion({"role": "assistant", "content": text}, ended or "stop")
        return message([{"type": "text", "text": text}], ended or "end_turn")


def completion(said: dict[str, Any], ended: str) -> dict[str, Any]:
    """OpenAI's form."""
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": ended}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
    }


def message(content: Sequence[dict[str, Any]], ended: str) -> dict[str, Any]:
    """Anthropic's form; some of the question came from its cache."""
    return {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": list(content),
        "stop_reason": ended,
        "stop_sequence": None,
        "usage": {"input_tokens": 400, "cache_read_input_tokens": 600, "output_tokens": 100},
    }


def as_json(value: Any, *headers: str, status: str = "200 OK") -> bytes:
    """The bytes of an answer that is JSON."""
    body = json.dumps(value).encode()
    return answer(body, *headers, status=status, kind="application/json")
