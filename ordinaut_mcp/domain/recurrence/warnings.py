"""What may surprise a caller about a schedule, in whole sentences."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.cron_text import Cron
from ordinaut_mcp.domain.recurrence.notes import clock, day_of, note_on
from ordinaut_mcp.domain.recurrence.resolve import Names, Slot
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule
from ordinaut_mcp.domain.zone import change_between, offset_at

AHEAD: Final = timedelta(days=370)
ZERO: Final = timedelta(0)
TICK: Final = timedelta(microseconds=1)
STRIDE: Final = timedelta(days=6)
"""No zone changes its clocks twice within 166 hours: looking this often sees every change."""


class Named(Protocol):
    """What is asked of a series: its slots, the local times behind them, and its way with both."""

    @property
    def names(self) -> Names: ...

    @property
    def is_wildcard(self) -> bool: ...

    def after(self, after: datetime, budget: Budget) -> Slot | None: ...


def clock_changes(tz: ZoneInfo, now: datetime) -> Iterator[tuple[datetime, timedelta]]:
    """The clock changes of the next year or so: the instant, and how far the clock moves on."""
    at, old = now, offset_at(now, tz)
    while at < now + AHEAD:
        later = at + STRIDE
        new = offset_at(later, tz)
        if new != old:
            yield change_between(at, later, tz), new - old
        at, old = later, new


def at_clock_changes(series: Named, tz: ZoneInfo, now: datetime) -> list[str]:
    """One sentence for the first slot in a gap, and one for the first in a fold."""
    said = dict[bool, str]()
    for change, moved in clock_changes(tz, now):
        forward = moved > ZERO
        if forward not in said and (sentence := _at_change(series, tz, change=change, moved=moved)):
            said[forward] = sentence
    return [said[kind] for kind in (True, False) if kind in said]


def at_single(slot: Slot | None, tz: ZoneInfo) -> list[str]:
    """The same for a schedule that names one time."""
    note = note_on(slot, tz) if slot else None
    return [_told(slot.local, note)] if slot and note else []


def at_combined_days(cron: Cron) -> list[str]:
    """Cron's oddity: two day fields mean either, unless one begins with a star."""
    if "*" in {cron.fields[2], cron.fields[4]}:
        return []
    rule = (
        "both must match, as one of them begins with a star"
        if cron.needs_both_days
        else "it runs when either matches"
    )
    return [f"Day of month and day of week are both given: {rule}."]


def at_rule(rule: Rule, start: datetime | None, first: datetime | None) -> list[str]:
    """Warnings about a rule, its `start_at` and the first local time that it names."""
    said = list[str]()
    filters = (rule.by_month, rule.by_month_day, rule.by_year_day, rule.by_day, rule.by_hour)
    if rule.freq >= Freq.HOURLY and not any((*filters, rule.by_minute, rule.by_second)):
        every = f"{rule.interval}{'hms'[rule.freq - Freq.HOURLY]}"
        said.append(
            f"FREQ={rule.freq.name} follows the wall clock and leaves a hole or a bunch at clock "
            f"changes; for even spacing use schedule_kind interval: every {every}."
        )
    if rule.freq < Freq.HOURLY and not rule.by_hour and start is None:
        said.append("No hour is named, so it runs at 00:00; add BYHOUR, or a start_at.")
    if start is not None and first is not None and first != start:
        said.append(
            f"start_at {day_of(start)} {clock(start)} is none of the rule's dates; the first is "
            f"{day_of(first)} {clock(first)}."
        )
    return said


def _at_change(series: Named, tz: ZoneInfo, *, change: datetime, moved: timedelta) -> str | None:
    """What happens to the first local time that a change skips or repeats, if there is one."""
    new = offset_at(change, tz)
    old = new - moved
    begins, ends = (change.replace(tzinfo=None) + side for side in sorted((old, new)))
    local = series.names.first(begins, Budget())
    if local is None or local >= ends:
        return None
    if series.is_wildcard:
        what = "does not exist; it does not run" if moved > ZERO else "happens twice; it runs twice"
        return f"On {day_of(local)} {clock(local)} {what}."
    for at in (change, (local - old).replace(tzinfo=UTC)):
        slot = series.after(at - TICK, Budget())
        if slot is not None and slot.local == local:
            return _told(local, note_on(slot, tz))
        if slot is not None and slot.at == at:
            return None  # another of its times runs at that very instant
    return f"On {day_of(local)} {clock(local)} does not exist; it does not run."


def _told(local: datetime, note: str | None) -> str:
    words = (note or "").replace("does not exist on this day; runs", "does not exist; it runs")
    return f"On {day_of(local)} {words.replace('; the', '; it runs at the')}."
