"""DBOS: a queue of no-op workflows on one executor, each enqueued by the ordinary call."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, LiteralString

from peers.child import Begun

if TYPE_CHECKING:
    from dbos import DBOSConfig

PACKAGES: Final = ("dbos", "sqlalchemy", "psycopg")
QUEUE: Final = "bench"
LOOKS: Final = 0.05
"""Seconds between its looks at the queue; its default is 1, which would hold it back."""
LEFT: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM dbos.workflow_status WHERE status IN ('ENQUEUED', 'PENDING'))
"""


def install(url: str) -> None:
    """Its own schema."""
    _launched(url, _nothing).destroy()


def add(url: str, runs: int) -> None:
    """Enqueue one by one: there is no call for many."""
    from dbos import DBOSClient

    client = DBOSClient(system_database_url=url)
    for _ in range(runs):
        client.enqueue({"queue_name": QUEUE, "workflow_name": "nothing", "app_version": "bench"})
    client.destroy()


def work(url: str, begun: Begun, option: str) -> None:
    """Work until the process is ended."""
    del option
    dbos = _launched(url, begun)
    dbos.register_queue(QUEUE, polling_interval_sec=LOOKS)
    threading.Event().wait()


def _launched(url: str, does: Any) -> Any:
    from dbos import DBOS

    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": url,
        "log_level": "ERROR",
        "application_version": "bench",
        "executor_id": "bench",
    }
    DBOS(config=config)

    def nothing() -> None:
        does()

    DBOS.workflow(name="nothing")(nothing)
    DBOS.launch()
    return DBOS


def _nothing() -> None:
    """Stands for the workflow where only the schema is made."""
