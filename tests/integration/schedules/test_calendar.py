"""The agenda as a calendar file, and the commands `agenda` and `backfill`."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import anyio
import pytest
from icalendar import Calendar
from typer.testing import CliRunner, Result

from ordinaut_mcp.app.calendar import calendar_of
from ordinaut_mcp.cli.main import app
from ordinaut_mcp.errors import InvalidInput
from ordinaut_mcp.store.pool import new_pool
from tests.integration.schedules.world import FREEZE, World, instant, new_world


async def events(world: World, hours: float = 24) -> list[dict[str, Any]]:
    """What a calendar reads from the file."""
    agenda = await world.services.agenda.get(world.caller, span=timedelta(hours=hours), limit=100)
    calendar = Calendar.from_ical(calendar_of(agenda))
    return [
        {
            "uid": str(event["UID"]),
            "start": event.start.isoformat(),
            "summary": str(event["SUMMARY"]),
            "status": str(event["STATUS"]),
        }
        for event in calendar.events
    ]


@pytest.mark.anyio
async def test_each_occurrence_is_an_event(world: World) -> None:
    await world.schedule("0 9,10 * * *", title="Прогноз; 8°, \\n", exclude=["2026-11-22T10:00"])
    assert await events(world) == [
        {
            "uid": "task_1-20261122T090000Z@ordinaut",
            "start": "2026-11-22T09:00:00+00:00",
            "summary": "Прогноз; 8°, \\n",
            "status": "CONFIRMED",
        },
        {
            "uid": "task_1-20261122T100000Z@ordinaut",
            "start": "2026-11-22T10:00:00+00:00",
            "summary": "Прогноз; 8°, \\n (excluded)",
            "status": "CANCELLED",
        },
    ]


@pytest.mark.anyio
async def test_an_event_keeps_its_name_when_it_is_snoozed_and_when_it_runs(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    (before,) = await events(world)
    await world.snooze(task, span=timedelta(minutes=90))
    (snoozed,) = await events(world)
    await world.wake("2026-11-22T10:30")
    await world.claim()
    (running,) = await events(world, hours=12)
    assert before["uid"] == snoozed["uid"] == running["uid"]
    assert snoozed["start"] == running["start"] == "2026-11-22T10:30:00+00:00"
    assert (snoozed["summary"], running["summary"]) == ("Probe (snoozed)", "Probe (running)")


@pytest.mark.anyio
async def test_runs_by_hand_have_names_of_their_own(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.at("2026-11-22T09:00")
    await world.run_now(task)
    await world.run_now(task)
    await world.tick()
    names = [event["uid"] for event in await events(world, hours=1)]
    assert sorted(names) == ["run_1@ordinaut", "run_2@ordinaut", "task_1-20261122T090000Z@ordinaut"]


@pytest.mark.anyio
async def test_an_empty_agenda_is_a_calendar_still(world: World) -> None:
    assert await events(world) == []


class CommandLine:
    """The commands over one database with a clock that stands still."""

    def __init__(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database = database
        for name, value in (("DATABASE_URL", database), ("TIMEZONE", "UTC")):
            monkeypatch.setenv(f"ORDINAUT_{name}", value)
        self.prepare(("0 9,10 * * *",))

    def prepare(self, exprs: tuple[str, ...]) -> None:
        async def stored() -> None:
            async with new_pool(self._database, largest=2) as pool:
                async with pool.connection() as connection:
                    await connection.execute(FREEZE)
                world = new_world(pool)
                for expr in exprs:
                    await world.schedule(expr, key="probe")
                await world.at("2026-11-22T09:30")

        anyio.run(stored)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def command(database: str, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    del clean_environment
    return CommandLine(database, monkeypatch)


def test_the_agenda_is_told_in_lines(command: CommandLine) -> None:
    told = command.run("agenda", "--hours", "1")
    assert told.exit_code == 0
    assert told.stdout.splitlines() == [
        "2026-11-22T09:00:00+00:00 late: Probe (task_1)",
        "2026-11-22T10:00:00+00:00 scheduled: Probe (task_1)",
    ]


def test_the_agenda_is_told_as_json(command: CommandLine) -> None:
    facts = json.loads(command.run("agenda", "--limit", "1", "--json").stdout)
    assert facts["truncated"] is True
    assert [row["at"]["utc"] for row in facts["occurrences"]] == ["2026-11-22T09:00:00Z"]


def test_the_agenda_is_told_as_a_calendar(command: CommandLine) -> None:
    told = command.run("agenda", "--ics", "--hours", "1")
    assert b"BEGIN:VCALENDAR\r\n" in told.stdout_bytes
    uids = [str(event["UID"]) for event in Calendar.from_ical(told.stdout_bytes).events]
    assert uids == ["task_1-20261122T090000Z@ordinaut", "task_1-20261122T100000Z@ordinaut"]


RANGE = ("--from", "2026-11-20", "--to", "2026-11-21T10:00")


def test_a_backfill_is_shown_before_it_is_ordered(command: CommandLine) -> None:
    told = command.run("backfill", "probe", *RANGE, "--dry-run", "--json")
    assert json.loads(told.stdout) == {
        "slots": [
            "2026-11-20T09:00:00+00:00",
            "2026-11-20T10:00:00+00:00",
            "2026-11-21T09:00:00+00:00",
        ],
        "made": 0,
    }
    assert told.stderr == "3 slots, 0 runs ordered (dry run).\n"


def test_a_backfill_is_ordered_once(command: CommandLine) -> None:
    first = command.run("backfill", "probe", *RANGE)
    assert first.stderr == "3 slots, 3 runs ordered.\n"
    assert first.stdout.splitlines()[-1] == "2026-11-21T09:00:00+00:00"
    assert command.run("backfill", "probe", *RANGE).stderr == "3 slots, 0 runs ordered.\n"


def test_a_backfill_into_the_future_is_refused(command: CommandLine) -> None:
    told = command.run("backfill", "probe", "--from", "2026-11-22", "--to", "2026-11-23")
    assert isinstance(told.exception, InvalidInput)
    assert told.exception.field == "to"


def test_the_end_of_a_range_is_exclusive(command: CommandLine) -> None:
    told = command.run(
        "backfill", "probe", "--from", "2026-11-20T09:00", "--to", "2026-11-20T10:00", "--dry-run"
    )
    assert told.stdout.splitlines() == ["2026-11-20T09:00:00+00:00"]
    assert instant("2026-11-20T09:00").isoformat() == told.stdout.strip()
