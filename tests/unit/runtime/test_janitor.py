"""The janitor sweeps everything, and says once what went."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.ports import Swept
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.janitor import Janitor, janitor

pytestmark = pytest.mark.anyio

NOTHING = Swept()
RUNS, EVENTS = timedelta(days=90), timedelta(days=3)


class Attic:
    """A `RetentionStore` that gives out what it was told to, and writes down what was asked."""

    def __init__(self, *, runs: Swept = NOTHING, events: Swept = NOTHING, others: int = 0) -> None:
        self.runs, self.events, self.others = runs, events, others
        self.asked: list[object] = []
        self.swept = anyio.Event()

    async def keep_partitions(self) -> None:
        self.asked.append("partitions")

    async def sweep_runs(self, keep: timedelta) -> Swept:
        self.asked.append(("runs", keep))
        return self.runs

    async def sweep_events(self, keep: timedelta) -> Swept:
        self.asked.append(("events", keep))
        return self.events

    async def sweep_slots(self, keep: timedelta) -> int:
        self.asked.append(("slots", keep))
        return self.others

    async def sweep_processes(
        self, seen: Collection[ProcessId]
    ) -> tuple[int, frozenset[ProcessId]]:
        self.asked.append(("processes", frozenset(seen)))
        return self.others, frozenset({ProcessId(7)})

    async def sweep_permits(self) -> int:
        self.asked.append("permits")
        self.swept.set()
        return self.others


def a_janitor(attic: Attic) -> Janitor:
    return Janitor(attic, keep_runs=RUNS, keep_events=EVENTS)


async def test_runs_go_before_their_slots_and_silent_processes_at_the_second_look() -> None:
    attic = Attic()
    sweeper = a_janitor(attic)

    await sweeper.sweep()
    await sweeper.sweep()

    first = ["partitions", ("runs", RUNS), ("events", EVENTS), ("slots", RUNS)]
    assert attic.asked == [
        *first,
        ("processes", frozenset()),
        "permits",
        *first,
        ("processes", frozenset({7})),
        "permits",
    ]


async def test_what_went_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    attic = Attic(
        runs=Swept(partitions=("run_2026_01",), rows=2),
        events=Swept(partitions=("outbox_2026_03_01",), rows=1),
        others=5,
    )

    await a_janitor(attic).sweep()

    [line] = caplog.records
    assert (line.levelname, line.message) == ("INFO", "removed what retention has ended")
    said = {name: vars(line)[name] for name in ("partitions", "rows", "slots", "permits")}
    assert said == {
        "partitions": ["run_2026_01", "outbox_2026_03_01"],
        "rows": 3,
        "slots": 5,
        "permits": 5,
    }


async def test_a_sweep_that_finds_nothing_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await a_janitor(Attic()).sweep()
    assert caplog.records == []


async def test_events_that_nobody_published_are_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await a_janitor(Attic(events=Swept(unpublished=("a",), given_up=("c",)))).sweep()

    assert [line.message for line in caplog.records if line.levelname == "WARNING"] == [
        "events past their retention stay, as nobody has published them (is a relay running?): a",
        "events past their retention were dropped, though nobody has published them: c",
    ]


async def test_the_duty_sweeps_at_once() -> None:
    attic, clockwork = Attic(), Clockwork()
    with anyio.fail_after(5), clockwork.running():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(janitor(attic, keep_runs=RUNS, keep_events=EVENTS).run, clockwork)
            await attic.swept.wait()
            tasks.cancel_scope.cancel()

    assert attic.asked[0] == "partitions"
