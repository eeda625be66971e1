"""`http.request` and the models as the catalog and the settings have them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ordinaut_mcp.app.outside import allowance_of, model_of
from ordinaut_mcp.config import load_settings
from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.builtin import HTTP_REQUEST, LLM_COMPLETE, LLM_PLAN
from ordinaut_mcp.domain.json_schema import compile_schema
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import Fault, FaultKind, Returned, ToolHints
from ordinaut_mcp.domain.web_request import METHODS, WebAnswer, WebRequest
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.runtime.steps.call import StepCall
from ordinaut_mcp.runtime.steps.http import LONGEST, request_hints, requester
from ordinaut_mcp.runtime.steps.llm import FakeModel, planner
from ordinaut_mcp.web.model import ModelSettings, ProviderModel

pytestmark = pytest.mark.anyio


class Echo:
    """A way out that answers at once and remembers how long it might have taken."""

    def __init__(self) -> None:
        self.within: timedelta | None = None

    @property
    def allowance(self) -> Allowance:
        return Allowance()

    async def request(self, request: WebRequest, *, within: timedelta) -> WebAnswer | Fault:
        self.within = within
        return WebAnswer(url=request.url, status=204, reason="", headers={}, body=b"")


def a_call(timeout: timedelta | None = None, **arguments: Any) -> StepCall:
    context = RenderContext(values={}, now=datetime(2026, 1, 1, tzinfo=UTC), zone=UTC)
    return StepCall(arguments=arguments, context=context, idempotency_key="k", timeout=timeout)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_method_that_only_asks_is_read_only(method: str) -> None:
    expected = ToolHints(read_only=True, destructive=False, idempotent=True, open_world=True)
    assert request_hints({"method": method}) == expected


@pytest.mark.parametrize(
    ("method", "idempotent"), [("PUT", True), ("DELETE", True), ("POST", False), ("PATCH", False)]
)
def test_the_others_change_things_and_some_may_be_repeated(method: str, idempotent: bool) -> None:  # noqa: FBT001, RUF100
    hints = request_hints({"method": method})
    assert (hints.read_only, hints.destructive, hints.idempotent) == (False, True, idempotent)


def test_a_request_that_names_no_method_only_asks() -> None:
    assert request_hints({}).read_only
    assert not HTTP_REQUEST.hints.read_only
    assert HTTP_REQUEST.hints.open_world


async def test_a_step_has_its_own_time_else_the_longest() -> None:
    echo = Echo()
    await requester(echo)(a_call(timedelta(seconds=7), url="https://example.com/"))
    assert echo.within == timedelta(seconds=7)
    await requester(echo)(a_call(url="https://example.com/"))
    assert echo.within == LONGEST


async def test_what_comes_back_fits_the_published_schema() -> None:
    outcome = await requester(Echo())(a_call(url="https://example.com/a"))
    assert isinstance(outcome, Returned)
    validator = compile_schema(dict(HTTP_REQUEST.output_schema or {}), field="output")
    assert validator.problems(outcome.value) == []


async def test_without_a_way_out_every_call_says_so() -> None:
    outcome = await requester(None)(a_call(url="https://example.com/a"))
    assert isinstance(outcome, Fault)
    assert outcome.kind is FaultKind.NOT_REACHABLE


async def test_a_rendered_url_is_held_to_the_rules() -> None:
    echo = Echo()
    for url, kind in (
        ("https://10.0.0.5/", FaultKind.BLOCKED_ADDRESS),
        ("https://example.com:22/", FaultKind.BLOCKED_PORT),
        ("ftp://example.com/", FaultKind.INVALID_URL),
        ("https://example.com/" + "a" * 3000, FaultKind.BAD_ARGUMENTS),
    ):
        outcome = await requester(echo)(a_call(url=url))
        assert isinstance(outcome, Fault)
        assert (outcome.kind, outcome.sent) == (kind, False)
    assert echo.within is None


@pytest.mark.parametrize(
    ("arguments", "fits"),
    [
        ({"url": "https://a.example"}, True),
        ({"url": "https://a.example", "query": {"a": [1, "b", True]}, "allow_status": [404]}, True),
        ({"url": "https://a.example", "json": None, "headers": {"a": "b"}}, True),
        ({}, False),
        ({"url": "https://a.example", "method": "get"}, False),
        ({"url": "https://a.example", "query": {"a": {}}}, False),
        ({"url": "https://a.example", "allow_status": [200]}, False),
        ({"url": "https://a.example", "max_bytes": 2_000_000}, False),
        ({"url": "https://a.example", "timeout": 3}, False),
    ],
)
def test_the_published_schema_says_what_is_taken(arguments: dict[str, Any], *, fits: bool) -> None:
    validator = compile_schema(dict(HTTP_REQUEST.input_schema), field="with")
    assert (validator.problems(arguments) == []) is fits
    published: Any = HTTP_REQUEST.input_schema["properties"]["method"]["enum"]
    assert tuple(published) == METHODS


def test_both_names_of_the_model_take_the_same() -> None:
    assert LLM_PLAN.input_schema == LLM_COMPLETE.input_schema
    assert LLM_PLAN.output_schema == LLM_COMPLETE.output_schema


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, None),
        ({"const": 7}, 7),
        ({"type": "string", "default": "d"}, "d"),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, False),
        ({"type": ["integer", "null"]}, 0),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "array", "minItems": 2, "items": {"type": "integer"}}, [0, 0]),
    ],
)
async def test_the_stand_ins_smallest_value_fits(schema: dict[str, Any], expected: Any) -> None:
    outcome = await planner(FakeModel())(a_call(instruction="x", output_schema=schema))
    assert isinstance(outcome, Returned)
    assert outcome.value["data"] == expected


class TestSettings:
    """What the settings say about the world outside."""

    pytestmark = pytest.mark.usefixtures("clean_environment")

    def test_the_allowed_places_stand_between_commas(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORDINAUT_HTTP_ALLOW", "10.0.0.0/8, localhost:8080,")
        settings = load_settings(tmp_path)
        assert settings.http_allow == ("10.0.0.0/8", "localhost:8080")
        assert allowance_of(settings).opens("localhost", 8080)

    def test_the_allowed_places_are_a_list_in_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "ordinaut.toml").write_text("http_allow = ['a.example:81']\n")
        assert allowance_of(load_settings(tmp_path)).opens("a.example", 81)

    def test_nothing_is_allowed_and_no_model_set_by_default(self, tmp_path: Path) -> None:
        settings = load_settings(tmp_path)
        assert allowance_of(settings) == Allowance()
        assert model_of(settings) is None

    def test_a_place_that_is_none_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ORDINAUT_HTTP_ALLOW", "everything")
        with pytest.raises(InvalidInput) as caught:
            allowance_of(load_settings(tmp_path))
        assert (caught.value.code, caught.value.field) == ("invalid_config", "http_allow")

    @pytest.mark.parametrize("provider", ["openai", "anthropic"])
    def test_a_provider_is_a_model(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str
    ) -> None:
        monkeypatch.setenv("ORDINAUT_LLM_PROVIDER", provider)
        monkeypatch.setenv("ORDINAUT_LLM_API_KEY", "sk-hunter22")
        settings = load_settings(tmp_path)
        assert isinstance(model_of(settings), ProviderModel)
        assert "hunter22" not in repr(settings)

    def test_the_stand_in_is_a_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ORDINAUT_LLM_PROVIDER", "fake")
        assert isinstance(model_of(load_settings(tmp_path)), FakeModel)

    @pytest.mark.parametrize("url", ["localhost:1234", "https://u:hunter22@h/v1"])
    def test_a_wrong_base_url_is_told_without_what_it_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv("ORDINAUT_LLM_BASE_URL", url)
        with pytest.raises(InvalidInput) as caught:
            load_settings(tmp_path)
        assert caught.value.field == "llm_base_url"
        assert "hunter22" not in caught.value.message


def test_a_cost_is_the_tokens_times_their_prices() -> None:
    settings = ModelSettings(model="m", input_price=3.0, output_price=15.0)
    assert settings.cost(1_000_000, 200_000) == 6.0
    assert ModelSettings(model="m", output_price=15.0).cost(1, 1) is None
    assert ModelSettings(model="m", input_price=0.0, output_price=0.0).cost(5, 5) == 0.0
