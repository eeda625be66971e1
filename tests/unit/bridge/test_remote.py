"""What the HTTP transport adds to requests and takes from answers."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest

from ordinaut_mcp.bridge.lines import LONGEST_LINE
from ordinaut_mcp.bridge.remote import BoundedTransport

pytestmark = pytest.mark.anyio

KEY = "ordinaut/idempotency-key"


def echoing(**headers: str) -> httpx2.AsyncClient:
    """A client whose server gives back the body, with these headers."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen = {"x-key": request.headers.get("idempotency-key", "")}
        return httpx2.Response(200, content=pieces(request.content), headers=headers | seen)

    return httpx2.AsyncClient(transport=BoundedTransport(httpx2.MockTransport(answer)))


async def pieces(content: bytes) -> AsyncGenerator[bytes]:
    for at in range(0, len(content), 65536):
        yield content[at : at + 65536]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"params": {"_meta": {KEY: "run_1/a"}}}, "run_1/a"),
        ({"params": {"arguments": {KEY: "run_1/a"}}}, ""),
        ({"params": {"_meta": {KEY: 5}}}, ""),
        ({"params": {}}, ""),
    ],
)
async def test_the_key_of_a_call_becomes_a_header(body: dict[str, Any], key: str) -> None:
    async with echoing() as client:
        answer = await client.post("http://x/", content=json.dumps(body))
        assert answer.headers["x-key"] == key


async def test_a_body_is_taken_up_to_its_bound() -> None:
    async with echoing() as client:
        whole = await client.post("http://x/", content=b"x" * LONGEST_LINE)
        assert len(whole.content) == LONGEST_LINE
        with pytest.raises(httpx2.StreamError, match="message_too_large"):
            await client.post("http://x/", content=b"x" * (LONGEST_LINE + 1))


async def test_a_stream_of_events_has_no_bound_as_a_whole() -> None:
    async with echoing(**{"content-type": "text/event-stream"}) as client:
        whole = await client.post("http://x/", content=b"x" * (LONGEST_LINE + 1))
        assert len(whole.content) == LONGEST_LINE + 1
