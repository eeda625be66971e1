"""Requests made of a step's arguments; `url.ssrf` of cases/bad_inputs.json when stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.pipeline import parse_pipeline
from ordinaut_mcp.domain.web_request import check_web_steps, web_request
from ordinaut_mcp.errors import InvalidInput

CASES: list[dict[str, Any]] = [
    case
    for case in json.loads(
        (Path(__file__).parents[2] / "cases" / "bad_inputs.json").read_text("utf-8")
    )
    if case["surface"] == "url.ssrf"
]
NONE = Allowance()
KEY = "ordinaut-run_1/a"


def cases(outcome: str) -> list[Any]:
    chosen = [case for case in CASES if case["expect"]["outcome"] == outcome]
    return [pytest.param(case, id=case["id"]) for case in chosen]


def steps_of(case: dict[str, Any]) -> list[dict[str, Any]]:
    """The pipeline; the one generator that these cases use is carried out."""
    steps: list[dict[str, Any]] = json.loads(json.dumps(case["input"]["args"]["pipeline"]))
    url = steps[0]["with"]["url"]
    if isinstance(url, dict):
        steps[0]["with"]["url"] = "http://example.com/" + "a" * 9000
    return steps


def test_every_case_of_the_surface_is_here() -> None:
    assert len(CASES) == 33
    assert {case["expect"]["outcome"] for case in CASES} == {"reject", "run_fails"}


@pytest.mark.parametrize("case", cases("reject"))
def test_what_no_run_could_send_is_refused_when_it_is_stored(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_web_steps(parse_pipeline(steps_of(case)), allowance=NONE)
    assert caught.value.code == case["expect"]["error"]
    assert caught.value.field == case["expect"]["field"]


@pytest.mark.parametrize("case", cases("run_fails"))
def test_what_only_a_resolver_knows_is_stored(case: dict[str, Any]) -> None:
    check_web_steps(parse_pipeline(steps_of(case)), allowance=NONE)
    assert case["expect"]["error"] == "blocked_address"


def stored(**arguments: Any) -> None:
    pipeline = parse_pipeline([{"id": "a", "uses": "http.request", "with": arguments}])
    check_web_steps(pipeline, allowance=NONE)


def test_what_a_template_fills_in_is_left_to_the_run() -> None:
    stored(url="https://${params.host}/", method="${params.method}", headers={"X": "${params.x}"})
    stored(url="http://example.com/", allow_http="${params.open}")
    stored(headers="${params.headers}", url=7)


def test_a_literal_beside_a_template_is_checked() -> None:
    with pytest.raises(InvalidInput) as caught:
        stored(url="https://${params.host}/", headers={"A": "${params.x}", "Host": "x"})
    assert (caught.value.code, caught.value.field) == (
        "invalid_header",
        "pipeline[0].with.headers.Host",
    )


def test_steps_of_other_tools_are_not_looked_at() -> None:
    steps = [{"id": "a", "uses": "echo.say", "with": {"url": "http://127.0.0.1/"}}]
    check_web_steps(parse_pipeline(steps), allowance=NONE)


def made(**arguments: Any) -> Any:
    given = {"url": "https://example.com/", **arguments}
    return web_request(given, idempotency_key=KEY, allowance=NONE)


def test_a_request_is_a_get_without_a_key_unless_it_says_more() -> None:
    request = made()
    assert (request.method, request.headers, request.content) == ("GET", {}, None)
    assert (request.max_bytes, request.max_redirects) == (1024 * 1024, 5)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_things_carries_the_steps_key(method: str) -> None:
    assert made(method=method).headers == {"idempotency-key": KEY}
    own = made(method=method, headers={"Idempotency-Key": "mine"})
    assert own.headers == {"idempotency-key": "mine"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_only_asks_carries_no_key(method: str) -> None:
    assert made(method=method).headers == {}


def test_json_and_text_become_bodies_with_their_types() -> None:
    told = made(method="POST", json={"a": ["ä", None]})
    assert told.content == '{"a":["ä",null]}'.encode()
    assert told.headers["content-type"] == "application/json"
    assert made(method="POST", json=None).content == b"null"
    text = made(method="POST", body="ä")
    assert text.content == "ä".encode()
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    own = made(method="POST", body="a=1", headers={"Content-Type": "x/y"})
    assert own.headers["content-type"] == "x/y"


def test_two_bodies_are_one_too_many() -> None:
    with pytest.raises(InvalidInput) as caught:
        made(json=1, body="1")
    assert caught.value.field == "with.json"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nHost: evil"),
        ("X", "a\0"),
        ("X", " a"),
        ("X", "a "),
        ("X", "ä"),
        ("X Y", "a"),
        ("", "a"),
        ("X:", "a"),
        ("Host", "a"),
        ("content-LENGTH", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "x"),
        ("TE", "x"),
        ("Upgrade", "h2c"),
        ("Proxy-Authorization", "x"),
        ("Accept-Encoding", "br"),
    ],
)
def test_a_header_that_would_break_the_message_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        made(headers={name: value})
    assert (caught.value.code, caught.value.field) == ("invalid_header", f"with.headers.{name}")


def test_a_header_is_given_once() -> None:
    with pytest.raises(InvalidInput, match="given twice"):
        made(headers={"X-A": "1", "x-a": "2"})


@pytest.mark.parametrize(
    "headers", [{f"x{at}": "1" for at in range(65)}, {"x": "a" * 33_000}, {"x" * 200: "1"}]
)
def test_headers_have_a_measure(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        made(headers=headers)
    assert caught.value.code == "invalid_header"


def test_a_header_may_be_empty_or_hold_tabs() -> None:
    assert made(headers={"A": "", "B": "x\ty z"}).headers == {"a": "", "b": "x\ty z"}
