"""How long the next occurrence takes, beside dateutil, cronsim, croniter and APScheduler.

Run it with `python bench/next_occurrence.py`. Each rule is asked from 200 instants of one
year; the table shows the median and the worst of all answers in microseconds, of schedules
that are built already. A peer that replays a rule from its anchor gets fewer questions, one
that is not installed or has no such rule shows a dash.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_preview
from ordinaut_mcp.domain.zone import TZDATA_VERSION, zone

ZONE = "Europe/Chisinau"
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
ASKS = 200
PATIENCE = 1.5
"""Seconds that one rule may take a peer before the rest of its questions is dropped."""

RULES = [
    ("FREQ=SECONDLY", "2025-11-22T00:00"),
    ("FREQ=MINUTELY", "2023-11-22T00:00"),
    ("FREQ=MINUTELY;INTERVAL=5", "2023-11-22T00:00"),
    ("FREQ=HOURLY;INTERVAL=7", "2016-11-22T00:00"),
    ("FREQ=DAILY;BYHOUR=9", "1990-01-01T09:00"),
    ("FREQ=WEEKLY;BYDAY=MO,WE,FR", "1990-01-01T09:00"),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU", "2026-01-06T09:00"),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "1990-01-31T09:00"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "1990-01-31T09:00"),
    ("FREQ=YEARLY", "1990-12-24T18:00"),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1990-05-14T09:00"),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU", "1990-01-01T09:00"),
    ("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=29", "2020-01-01T00:00"),
    ("FREQ=DAILY;INTERVAL=97;BYMONTH=2;BYMONTHDAY=29", "2020-01-01T00:00"),
]
CRONS = ["*/5 * * * *", "30 3 * * *", "0 9 * * 1-5", "0 0 29 2 *", "0 0 13 * 5"]
INTERVALS = ["every 15m", "every 1d"]

Ask = Callable[[datetime], object]


def ours(expr: str, start_at: str | None) -> Ask:
    request = ScheduleRequest(expr=expr, timezone=ZONE, start_at=start_at)
    return compile_preview(request, after=NOW, now=NOW).next_after


def dateutil(expr: str, start_at: str | None) -> Ask | None:
    if start_at is None or expr.startswith("FREQ=SECONDLY"):
        return None  # replaying seconds takes it two minutes for each answer
    from dateutil.rrule import rrulestr  # a peer

    rule = rrulestr(expr, dtstart=datetime.fromisoformat(start_at))
    tz = zone(ZONE)
    return lambda after: rule.after(after.astimezone(tz).replace(tzinfo=None))


def cronsim(expr: str, start_at: str | None) -> Ask | None:
    if start_at is not None or expr.startswith("every"):
        return None
    from cronsim import CronSim  # a peer

    tz = zone(ZONE)
    return lambda after: next(CronSim(expr, after.astimezone(tz)))


def croniter(expr: str, start_at: str | None) -> Ask | None:
    peer = installed("croniter")
    if peer is None or start_at is not None or expr.startswith("every"):
        return None
    tz = zone(ZONE)
    return lambda after: peer.croniter(expr, after.astimezone(tz)).get_next(datetime)


def apscheduler(expr: str, start_at: str | None) -> Ask | None:
    if start_at is not None or expr.startswith("every"):
        return None
    trigger: Any = importlib.import_module("apscheduler.triggers.cron").CronTrigger
    ready = trigger.from_crontab(expr, timezone=zone(ZONE))
    return lambda after: ready.get_next_fire_time(None, after)


def installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


PEERS = {
    "ordinaut": ours,
    "dateutil": dateutil,
    "cronsim": cronsim,
    "croniter": croniter,
    "apscheduler": apscheduler,
}


def timed(ask: Ask, instants: Iterable[datetime]) -> list[float]:
    """Microseconds for each answer, until the patience with this rule ends."""
    spans, left = list[float](), PATIENCE
    for instant in instants:
        begin = perf_counter()
        ask(instant)
        spans.append((perf_counter() - begin) * 1e6)
        left -= spans[-1] / 1e6
        if left < 0:
            break
    return spans


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def cell(spans: list[float]) -> str:
    return f"{median(spans):>10.0f} {max(spans):>10.0f}" if spans else f"{'-':>10} {'-':>10}"


def main() -> None:
    random = Random(1)
    instants = [NOW + timedelta(seconds=random.randint(0, 31_536_000)) for _ in range(ASKS)]
    everything: dict[str, list[float]] = {name: [] for name in PEERS}
    say(f"next occurrence in {ZONE}, tzdata {TZDATA_VERSION}, microseconds (median, worst)")
    say(" " * 48 + "".join(f"{name:>22}" for name in PEERS))
    mix: list[tuple[str, str | None]] = [*RULES, *((expr, None) for expr in CRONS + INTERVALS)]
    for expr, start_at in mix:
        row = list[str]()
        for name, build in PEERS.items():
            ask = build(expr, start_at)
            spans = timed(ask, instants) if ask else []
            everything[name] += spans
            row.append(cell(spans))
        say(f"{expr:<48}" + " ".join(row))
    say(f"{'all':<48}" + " ".join(cell(spans) for spans in everything.values()))
    if installed("croniter") is None:
        say("croniter is not installed here: its column is empty")
    say("goal: median at most 100, worst at most 20000")


if __name__ == "__main__":
    main()
