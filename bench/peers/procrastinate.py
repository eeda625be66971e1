"""Procrastinate over psycopg: one worker with concurrency 10, no-op task."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, LiteralString

from peers.child import Begun

if TYPE_CHECKING:
    from procrastinate import App

PACKAGES: Final = ("procrastinate", "psycopg")
CONCURRENCY: Final = 10
CHUNK: Final = 1_000
LEFT: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))
"""


def install(url: str) -> None:
    """Its own schema."""
    asyncio.run(_install(url))


def add(url: str, runs: int) -> None:
    """Add in batches."""
    asyncio.run(_add(url, runs))


def work(url: str, begun: Begun, option: str) -> None:
    """Work until the process is ended."""
    asyncio.run(_work(url, begun, int(option or CONCURRENCY)))


def _app(url: str) -> App:
    from procrastinate import App, PsycopgConnector

    return App(connector=PsycopgConnector(conninfo=url, min_size=2, max_size=CONCURRENCY + 5))


async def _install(url: str) -> None:
    async with _app(url).open_async() as app:
        await app.schema_manager.apply_schema_async()


async def _add(url: str, runs: int) -> None:
    async with _app(url).open_async() as app:
        task = app.task(name="nothing")(_nothing)
        for first in range(0, runs, CHUNK):
            await task.batch_defer_async(*({} for _ in range(min(CHUNK, runs - first))))


async def _work(url: str, begun: Begun, concurrency: int) -> None:
    async with _app(url).open_async() as app:

        @app.task(name="nothing")
        async def nothing() -> None:
            begun()

        await app.run_worker_async(concurrency=concurrency, install_signal_handlers=False)


async def _nothing() -> None:
    """Stands for the task where it is only added."""
