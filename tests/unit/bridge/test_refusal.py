"""What HTTP says outside of MCP becomes the answer to the request it was for."""

from __future__ import annotations

import json

import httpx2
import pytest

from ordinaut_mcp.bridge.refusal import NOT_LET_IN, instead_of, no_token


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"id": 7, "method": "x"}', 7),
        (b'{"id": "a", "method": "x"}', "a"),
        (b'{"method": "x"}', None),
        (b"", None),
    ],
)
def test_it_carries_the_id_of_its_request(content: bytes, expected: int | str | None) -> None:
    request = httpx2.Request("POST", "http://x/", content=content)
    answer = json.loads(no_token(request, "why").content)
    assert answer["id"] == expected
    assert answer["error"] == {"code": NOT_LET_IN, "message": "why"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, "text/html"), (404, "text/html"), (500, "application/json; charset=utf-8")],
)
def test_what_the_sdk_can_read_itself_passes(status: int, kind: str) -> None:
    request = httpx2.Request("POST", "http://x/", content=b"{}")
    answer = httpx2.Response(status, headers={"content-type": kind})
    assert instead_of(answer, request) is None
