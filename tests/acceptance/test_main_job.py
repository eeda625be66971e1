"""The main job: said over stdio, done with no client open, once, and looked up afterwards."""

from __future__ import annotations

from tests.acceptance.product import Product
from tests.acceptance.waiting import eventually


def test_what_was_scheduled_happens_once_after_its_client_was_closed(
    product: Product, key: str
) -> None:
    pipeline = [
        {"id": "clock", "uses": "time.get_current_time", "with": {"timezone": "${params.zone}"}},
        {"id": "mark", "uses": "echo.count", "with": {"mark": key, "n": 5}, "save_as": "m"},
        {
            "id": "note",
            "uses": "value.set",
            "with": {"value": "${steps.m.n} at ${steps.clock.timezone}"},
        },
    ]
    with product.session() as first:
        saved = first.call(
            "schedule_task",
            title="Main job",
            schedule_expr="in 2 seconds",
            key=key,
            pipeline=pipeline,
            params={"zone": "Asia/Kathmandu"},
        )
    assert product.counted(key) == []
    eventually(lambda: product.counted(key), within=30, what="the step is called")

    with product.session() as second:
        run = second.ended_run(key)
        task = second.call("get_task", task=key)["task"]
    assert run["task"] == saved["task"]["id"] == task["id"]
    assert run["state"] == "succeeded"
    assert run["kind"] == "schedule"
    assert run["attempt"] == 1
    assert run["due_at"] == run["scheduled_for"] == saved["next"][0]["local"]
    assert 0 <= run["lateness_ms"] < 5_000
    assert task["status"] == "completed"
    assert len(set(product.counted(key))) == len(product.counted(key)) == 1

    clock, mark, note = run["steps"]
    assert clock["input"] == {"timezone": "Asia/Kathmandu"}
    assert clock["output"]["timezone"] == "Asia/Kathmandu"
    assert mark["input"] == {"mark": key, "n": 5}
    assert note["input"] == {"value": f"{mark['output']['n']} at Asia/Kathmandu"}
    assert note["output"] == run["output"] == note["input"]["value"]
    assert [step["state"] for step in run["steps"]] == ["succeeded"] * 3


def test_the_shared_runtime_knows_every_tool_server(product: Product) -> None:
    with product.session() as session:
        states = {one["server"]: one["state"] for one in session.call("get_status")["tool_servers"]}
    assert states == {"echo": "ready", "evil": "ready", "time": "ready"}
