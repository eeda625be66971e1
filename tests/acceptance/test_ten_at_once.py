"""Ten clients start at the same moment on a home where nothing is: one runtime, one run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from tests.acceptance.living import living
from tests.acceptance.product import Product, installed
from tests.acceptance.tasks import task

CLIENTS = 10


def test_ten_clients_end_with_one_runtime_and_one_run() -> None:
    with installed() as product:
        product.tools({"echo": product.echo()})
        begin = Barrier(CLIENTS)
        with ThreadPoolExecutor(CLIENTS) as threads:
            waiting = [threads.submit(schedule, product, begin) for _ in range(CLIENTS)]
            saved = [one.result(120) for one in waiting]
        assert sum(answer["created"] for answer in saved) == 1
        assert {answer["task"]["id"] for answer in saved} == {"task_1"}
        assert {answer["task"]["generation"] for answer in saved} == {1}

        runtimes = [text for text in living(str(product.home)).values() if "--foreground" in text]
        assert len(runtimes) == 1
        with product.database() as database:
            [(processes,)] = database.execute("SELECT count(*) FROM ordinaut.process").fetchall()
        assert processes == 1

        with product.session() as session:
            session.call("update_task", task="same", schedule_expr="in 1 second")
            assert session.ended_run("same")["state"] == "succeeded"
        assert len(product.counted("ten")) == 1


def schedule(product: Product, begin: Barrier) -> dict[str, Any]:
    """One client: it starts with all the others, and asks for the same."""
    step = {"id": "a", "uses": "echo.count", "with": {"mark": "ten"}}
    begin.wait(30)
    with product.session() as session:
        return session.call("schedule_task", **task(key="same", pipeline=[step]))
