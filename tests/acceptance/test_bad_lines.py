"""Arguments that no client of the SDK can send: written to the server's stdin as bytes."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.acceptance.cases import call_of, case, chosen, line_of, marked
from tests.acceptance.product import Product
from tests.acceptance.raw import RawServer
from tests.acceptance.rows import rows_of
from tests.acceptance.tasks import task, value_step


@pytest.fixture(scope="module")
def remote(product: Product) -> Generator[RawServer, None, None]:
    with product.raw(agent="a", min_interval_seconds="60") as server:
        server.greet()
        server.call("schedule_task", task())
        yield server


def line(tool: str, arguments: str) -> bytes:
    """A call whose arguments are this text."""
    head = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":'
    return f'{head}{{"name":"{tool}","arguments":{arguments}}}}}'.encode()


def error_of(answer: dict[str, Any]) -> dict[str, Any]:
    return answer["result"]["structuredContent"]["error"]


@pytest.mark.parametrize("bad", marked(chosen("reject", raw=True)))
def test_a_bad_line_of_the_cases_is_refused(
    remote: RawServer, product: Product, bad: dict[str, Any]
) -> None:
    with product.database() as database:
        before = rows_of(database)
        remote.send(line_of(bad))
        error = error_of(remote.answer(1))
        assert error["code"] == bad["expect"]["error"]
        assert error["field"] == bad["expect"]["field"]
        assert rows_of(database) == before
    assert remote.call("get_status", {})["isError"] is False


@pytest.mark.parametrize("good", marked(chosen("accept", raw=True)))
def test_a_good_line_of_the_cases_is_stored(remote: RawServer, good: dict[str, Any]) -> None:
    remote.send(line_of(good))
    answer = remote.answer(1)["result"]
    assert answer["isError"] is False
    assert answer["structuredContent"]["task"]["payload"]["params"]["n"] == 0


def test_a_lone_surrogate_is_refused_by_its_field(remote: RawServer) -> None:
    tool, arguments = call_of(case("payload-size-007"))
    remote.send(line(tool, json.dumps(arguments)))
    error = error_of(remote.answer(1))
    assert (error["code"], error["field"]) == ("invalid_text", "params.a")


@pytest.mark.parametrize("field", ["title", "key", "schedule_expr", "timezone", "description"])
def test_a_lone_surrogate_in_a_text_is_refused(remote: RawServer, field: str) -> None:
    remote.send(line("schedule_task", json.dumps(task(**{field: "a\ud800"}))))
    error = error_of(remote.answer(1))
    assert error["field"] == field
    assert error["code"] in {"invalid_text", "unknown_timezone", "invalid_schedule"}


def test_a_lone_surrogate_in_a_name_is_refused(remote: RawServer) -> None:
    remote.send(line("schedule_task", json.dumps(task(**{"a\ud800": 1}))))
    assert error_of(remote.answer(1))["code"] in {"unknown_field", "invalid_key"}
    remote.send(line("sched\\ud800", "{}"))
    assert error_of(remote.answer(1))["code"] == "invalid_text"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4_000])
def test_a_number_that_json_does_not_know_is_refused(remote: RawServer, number: str) -> None:
    arguments = json.dumps(task(params={"n": "NUMBER"})).replace('"NUMBER"', number)
    remote.send(line("schedule_task", arguments))
    error = error_of(remote.answer(1))
    assert (error["code"], error["field"]) == ("invalid_number", "params.n")


def test_a_value_deeper_than_json_is_read_stores_nothing(
    remote: RawServer, product: Product
) -> None:
    with product.database() as database:
        before = rows_of(database)
        deep = "[" * 100_000 + "]" * 100_000
        step = json.dumps(task(pipeline=[value_step()], params={"a": "DEEP"}))
        remote.send(line("schedule_task", step.replace('"DEEP"', deep)))
        assert remote.call("get_status", {})["isError"] is False
        assert rows_of(database) == before
    assert "Traceback" not in remote.log
