"""A schedule that was admitted: everything fixed that its expansion needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.duration import parse_every
from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.calendars import HolidayCalendar, holiday_calendar
from ordinaut_mcp.domain.recurrence.cron_text import parse_cron
from ordinaut_mcp.domain.recurrence.exclusions import Exclusions
from ordinaut_mcp.domain.recurrence.moment import parse_moment
from ordinaut_mcp.domain.recurrence.notes import note_on
from ordinaut_mcp.domain.recurrence.request import Kind
from ordinaut_mcp.domain.recurrence.resolve import Slot
from ordinaut_mcp.domain.recurrence.rule_text import parse_rule_set
from ordinaut_mcp.domain.recurrence.series import (
    CronSeries,
    IntervalSeries,
    RuleSeries,
    Series,
    SingleSeries,
)
from ordinaut_mcp.domain.recurrence.warnings import (
    at_clock_changes,
    at_combined_days,
    at_rule,
    at_single,
)
from ordinaut_mcp.domain.recurrence.words import (
    cron_in_words,
    interval_in_words,
    once_in_words,
    rule_in_words,
)
from ordinaut_mcp.domain.zone import Gap, shifted_instant, to_instant, to_local, zone

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One slot of a schedule."""

    at: datetime
    """The instant, aware and in UTC."""
    local: datetime
    """The naive local time that the schedule names; a gap may make the clock show another."""
    note: str | None = None
    """What a clock change does to it, in words."""
    excluded: str | None = None
    """Why the slot does not run, where an exclusion hits it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a task runs. Its anchors are fixed at creation and never become "now".

    Raises:
        InvalidInput: an expression, date or zone that cannot be read (any more).
    """

    kind: Kind
    expr: str
    timezone: str
    gap: Gap = "shift"
    start_text: str | None = None
    end_text: str | None = None
    exclude: tuple[str, ...] = ()
    exclude_calendar: str | None = None
    anchor: datetime | None = None
    """`rrule`: the naive local DTSTART. `interval`, `in`: the aware UTC instant counted from."""
    since: datetime | None = None
    """The creation, where no `start_at` was given: slots up to it do not exist."""
    last: datetime | None = None
    """COUNT, closed: the naive local time of the last occurrence that counts."""
    series: Series = field(init=False, repr=False, compare=False)
    tz: ZoneInfo = field(init=False, repr=False, compare=False)
    _exclusions: Exclusions = field(init=False, repr=False, compare=False)
    _after: datetime | None = field(init=False, repr=False, compare=False)
    _until: datetime | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tz = zone(self.timezone)
        derived: dict[str, Any] = {
            "tz": tz,
            "series": _series(self, tz),
            "_exclusions": Exclusions(self.exclude, tz, _calendar(self.exclude_calendar)),
            "_after": self._lower_bound(tz),
            "_until": _end(self.end_text, tz),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    @property
    def start_at(self) -> datetime | None:
        """The naive local time that was given as `start_at`."""
        if self.start_text is None:
            return None
        return parse_moment(self.start_text, field="start_at").local_in(self.tz)

    @property
    def end_at(self) -> datetime | None:
        """The last instant on which the schedule may still run."""
        return self._until

    def next_after(self, after: datetime, budget: Budget | None = None) -> Occurrence | None:
        """The first occurrence strictly after an instant that is not excluded.

        None when the schedule has ended.

        Raises:
            InvalidInput: `too_complex`: the search spent its budget; the task must be shown as
                stuck, never as finished.
        """
        budget = budget or Budget()
        while (slot := self._slot_after(after, budget)) is not None:
            reason = self._exclusions.reason(slot)
            if reason is None:
                return self._occurrence(slot, None)
            budget.spend()
            after = self._exclusions.skip_from(slot)
        return None

    def next_unfired(self, after: datetime, *, fired: datetime) -> Occurrence | None:
        """The first occurrence after an instant whose local time did not run yet.

        For the moment when tzdata changed: a local time may then come a second time, at another
        instant. `fired` is the naive local time that ran last. What counts elapsed time has no
        local time to repeat.
        """
        if self.kind in {Kind.INTERVAL, Kind.IN}:
            return self.next_after(after)
        occurrence = self.next_after(max(after, shifted_instant(fired, self.tz)))
        while occurrence is not None and occurrence.local <= fired:
            occurrence = self.next_after(occurrence.at)
        return occurrence

    def slots_after(self, after: datetime) -> Iterator[Occurrence]:
        """Every slot strictly after an instant, the excluded ones flagged; often without end."""
        while (slot := self._slot_after(after, Budget())) is not None:
            yield self._occurrence(slot, self._exclusions.reason(slot))
            after = slot.at

    def next_excluded_after(self, after: datetime) -> Occurrence | None:
        """The first slot strictly after an instant that an exclusion hits."""
        for begin, day in self._exclusions.begins_after(after):
            slot = self._slot_after(max(after, begin - TICK), Budget())
            while slot is not None and day is not None and slot.local.date() < day:
                slot = self._slot_after(slot.at, Budget())
            if slot is None:
                return None
            reason = self._exclusions.reason(slot)
            if reason is not None:
                return self._occurrence(slot, reason)
        return None

    def count_between(self, low: datetime, high: datetime) -> int | None:
        """How many slots lie in [low, high), where arithmetic knows it; `low` is a slot."""
        if not isinstance(self.series, IntervalSeries):
            return None
        ends = high if self._until is None else min(high, self._until + TICK)
        return self.series.count(low, ends)

    def describe(self) -> str:
        """One plain sentence that a person can check."""
        match self.series:
            case CronSeries():
                return cron_in_words(parse_cron(self.expr), self.timezone)
            case IntervalSeries() as series:
                return interval_in_words(series.every)
            case RuleSeries() as series:
                return rule_in_words(series.rule, series.anchor, self.timezone)
            case SingleSeries() as series:
                return once_in_words(series.local, self.timezone)
            case _:
                raise AssertionError(f"no words for {self.series!r}")

    def warnings(self, now: datetime) -> list[str]:
        """What may surprise: clock changes ahead, days combined, midnight by default."""
        match self.series:
            case CronSeries() as series:
                cron = parse_cron(self.expr)
                shifts = [] if cron.is_every_hour else at_clock_changes(series, self.tz, now)
                return [*at_combined_days(cron), *shifts]
            case RuleSeries() as series:
                first = series.names.first(series.anchor, Budget())
                said = at_rule(series.rule, self.start_at, first)
                return [*said, *at_clock_changes(series, self.tz, now)]
            case SingleSeries() as series:
                return at_single(series.slot, self.tz)
            case _:
                return []

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values; `from_dict` gives an equal schedule."""
        stored = {
            "kind": str(self.kind),
            "expr": self.expr,
            "timezone": self.timezone,
            "gap": self.gap,
            "start_at": self.start_text,
            "end_at": self.end_text,
            "exclude": list(self.exclude),
            "exclude_calendar": self.exclude_calendar,
            "anchor": _iso(self.anchor),
            "since": _iso(self.since),
            "last": _iso(self.last),
        }
        return {name: value for name, value in stored.items() if value not in (None, [])}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The schedule that `to_dict` gave.

        Raises:
            InvalidInput: `unknown_timezone`, when tzdata does not know the zone any more.
        """
        return cls(
            kind=Kind(stored["kind"]),
            expr=stored["expr"],
            timezone=stored["timezone"],
            gap=stored.get("gap", "shift"),
            start_text=stored.get("start_at"),
            end_text=stored.get("end_at"),
            exclude=tuple(stored.get("exclude", ())),
            exclude_calendar=stored.get("exclude_calendar"),
            anchor=_from_iso(stored.get("anchor")),
            since=_from_iso(stored.get("since")),
            last=_from_iso(stored.get("last")),
        )

    def without_end(self) -> Schedule:
        """The same without `end_at` and exclusions; for telling which of them ended it."""
        return replace(self, end_text=None, exclude=(), exclude_calendar=None)

    def _slot_after(self, after: datetime, budget: Budget) -> Slot | None:
        if self._after is not None and after < self._after:
            after = self._after
        slot = self.series.after(after, budget)
        if slot is None or (self._until is not None and slot.at > self._until):
            return None
        if slot.at <= after:
            raise AssertionError(f"{slot.at} does not lie after {after}")
        return slot

    def _occurrence(self, slot: Slot, excluded: str | None) -> Occurrence:
        note = None if self.kind is Kind.INTERVAL else note_on(slot, self.tz)
        return Occurrence(at=slot.at, local=slot.local, note=note, excluded=excluded)

    def _lower_bound(self, tz: ZoneInfo) -> datetime | None:
        """The instant after which slots may lie."""
        if self.start_text is None or self.kind in {Kind.RRULE, Kind.INTERVAL}:
            return self.since
        start = parse_moment(self.start_text, field="start_at").instant(tz)
        return start - TICK


def _calendar(name: str | None) -> HolidayCalendar | None:
    return None if name is None else holiday_calendar(name)


def _series(schedule: Schedule, tz: ZoneInfo) -> Series:
    anchor = schedule.anchor
    match schedule.kind:
        case Kind.CRON:
            return CronSeries(parse_cron(schedule.expr), tz, schedule.gap)
        case Kind.ONCE:
            return _once(schedule, tz)
        case _ if anchor is None:
            raise ValueError(f"a schedule of kind {schedule.kind} needs its anchor")
        case Kind.IN:
            return SingleSeries(to_local(anchor, tz), anchor)
        case Kind.INTERVAL:
            return IntervalSeries(anchor, parse_every(schedule.expr), tz)
        case Kind.RRULE:
            rules = parse_rule_set(schedule.expr)
            return RuleSeries(rules, anchor, tz, gap=schedule.gap, last=schedule.last)


def _once(schedule: Schedule, tz: ZoneInfo) -> SingleSeries:
    moment = parse_moment(schedule.expr, field="schedule_expr", needs_time=True)
    if moment.offset is not None:
        return SingleSeries(moment.local_in(tz), moment.instant(tz))
    return SingleSeries(moment.local, to_instant(moment.local, tz, schedule.gap))


def _end(text: str | None, tz: ZoneInfo) -> datetime | None:
    return None if text is None else parse_moment(text, field="end_at").end_in(tz)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _from_iso(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
