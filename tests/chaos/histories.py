"""A small history in which all is well, for tests to spoil."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_schedule
from ordinaut_mcp.domain.task import TaskDefinition
from tests.chaos.history import (
    Call,
    EntrySeen,
    EventSeen,
    History,
    LiveSeen,
    Order,
    RunSeen,
    Sample,
    SlotSeen,
    StepSeen,
    TaskSeen,
    Write,
)

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = "ann key:shared"


def at(seconds: float) -> datetime:
    """So many seconds after the beginning."""
    return BEGIN + timedelta(seconds=seconds)


def a_task(**changes: Any) -> TaskSeen:
    """Every ten seconds; the slots at 10, 20 and 30 s have passed."""
    request = ScheduleRequest(expr="every 10s", kind="interval", timezone="UTC")
    definition = TaskDefinition(
        title="Load",
        schedule=compile_schedule(request, now=BEGIN),
        pipeline=[{"id": "a", "uses": "ledger.put"}],
    ).to_dict()
    plain = TaskSeen(id=1, status="active", definition=definition, next_run_at=at(40))
    return replace(plain, **changes)


def a_run(number: int, **changes: Any) -> RunSeen:
    """Run 1 is of the slot at 10 s, run 2 of the slot at 20 s, and so on."""
    plain = RunSeen(
        id=number,
        task_id=1,
        kind="schedule",
        state="succeeded",
        reason=None,
        scheduled_for=at(10 * number),
        attempt=1,
        events=1,
    )
    return replace(plain, **changes)


def a_skip(number: int, **changes: Any) -> RunSeen:
    """The slot of that number, left out."""
    given: dict[str, Any] = {
        "state": "skipped",
        "reason": "overlap",
        "skipped_until": at(10 * number),
        "skipped_count": 1,
        "skipped_is_exact": True,
        "attempt": 0,
        "events": 0,
    }
    return a_run(number, **{**given, **changes})


def a_slot(number: int) -> SlotSeen:
    """The slot of that run."""
    return SlotSeen(task_id=1, key=f"at:{at(10 * number).isoformat()}", run_id=number)


def a_call(name: str, run: int, **changes: Any) -> Call:
    """A call of the run's step `a` that was answered after a second."""
    plain = Call(
        id=name,
        tool="put",
        key=f"key-{run}/a",
        run_id=run,
        step="a",
        digest="d",
        began=at(10 * run + 1),
        ended=at(10 * run + 2),
        how="ok",
    )
    return replace(plain, **changes)


def a_step(run: int, **changes: Any) -> StepSeen:
    """The run's only step, with the output of its call."""
    plain = StepSeen(run_id=run, path="a", uses="ledger.put", state="succeeded", call=f"c{run}")
    return replace(plain, **changes)


class Log:
    """Writes, numbered as they come."""

    def __init__(self) -> None:
        self._ids = count(1)
        self.writes: list[Write] = [
            self.write(0, 100 + number, "process", "I", process_id=number, who=f"p{number}")
            for number in (1, 2)
        ]

    def write(self, seconds: float, transaction: int, source: str, op: str, **more: Any) -> Write:
        """One row."""
        given: dict[str, Any] = {"who": None, "run_id": None, **more}
        return Write(
            id=next(self._ids),
            transaction=transaction,
            at=at(seconds),
            source=source,
            op=op,
            **given,
        )

    def life(self, run: int, *, key: str | None = None, place: int | None = None) -> None:
        """A run that process 1 claims, journals and ends, under a limit if there is a key."""
        begin, first = 10.0 * run, 1000 * run
        limit: dict[str, Any] = {"run_id": run, "key": key, "place": 1 if key else None}
        leased: dict[str, Any] = {**limit, "who": "p1", "epoch": 1, "process_id": 1}
        step: dict[str, Any] = {"who": "p1", "run_id": run, "key": "a", "epoch": 1}
        self._add(begin, first, "due_work", "I", state="queued", epoch=0, **limit)
        self._add(begin, first, "run", "I", run_id=run, state="queued", epoch=0)
        was: dict[str, Any] = {"old_state": "queued", "old_epoch": 0}
        if key is not None:
            self._add(begin + 0.5, first + 1, "permit", "U", key=key, place=place, run_id=run)
        self._add(begin + 0.5, first + 1, "due_work", "U", state="running", **leased, **was)
        self._add(begin + 0.9, first + 2, "step", "I", state="running", **step)
        done: dict[str, Any] = {"state": "succeeded", "old_state": "running", "old_epoch": 1}
        self._add(begin + 3, first + 3, "step", "U", digest="out", **step, **done)
        gone: dict[str, Any] = {"old_state": "running", "old_epoch": 1, "old_process_id": 1}
        self._add(begin + 4, first + 4, "due_work", "D", who="p1", **limit, **gone)
        ended: dict[str, Any] = {"state": "succeeded", "old_state": "queued", "epoch": 1}
        self._add(begin + 4, first + 4, "run", "U", who="p1", run_id=run, **ended)
        if key is not None:
            freed: dict[str, Any] = {"key": key, "place": place, "old_run_id": run}
            self._add(begin + 4, first + 4, "permit", "U", **freed)

    def _add(self, seconds: float, transaction: int, source: str, op: str, **more: Any) -> None:
        self.writes.append(self.write(seconds, transaction, source, op, **more))


def good() -> History:
    """Two runs and a skip of one task, all as promised."""
    log = Log()
    log.life(1, key=KEY, place=1)
    log.life(2)
    return History(
        tasks=[a_task()],
        slots=[a_slot(1), a_slot(2)],
        runs=[a_run(1), a_run(2), a_skip(3)],
        steps=[a_step(1), a_step(2)],
        events=list(_events(range(1, 3))),
        entries=[_entry(1), _entry(2), _entry(1)],
        writes=log.writes,
        calls=[a_call("c1", 1), a_call("c2", 2)],
        orders=[Order(task_id=1, key=a_slot(1).key, run_id=1)],
        samples=[Sample(at=at(35), materialised=2, live=0, finished=2)],
    )


def _events(runs: Sequence[int]) -> Iterator[EventSeen]:
    for run in runs:
        yield EventSeen(id=run, run_id=run, sequence=1, topic="run.succeeded", is_published=True)


def _entry(event: int) -> EntrySeen:
    return EntrySeen(stream="ordinaut:events:1", event_id=event, run_id=event, sequence=1)


def live(run: int, state: str = "queued") -> LiveSeen:
    """Due work of a run."""
    return LiveSeen(run_id=run, state=state)
