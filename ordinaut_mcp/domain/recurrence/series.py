"""A series of slots for each kind of schedule: the next one after any instant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Protocol
from zoneinfo import ZoneInfo

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.cron_expand import CronExpander
from ordinaut_mcp.domain.recurrence.cron_text import Cron
from ordinaut_mcp.domain.recurrence.expand import Expander, expander_for
from ordinaut_mcp.domain.recurrence.resolve import FixedTimes, LocalTimes, Slot, WallClock
from ordinaut_mcp.domain.recurrence.rule import RuleSet
from ordinaut_mcp.domain.zone import Gap, shifted_instant, to_instant, to_local


class Series(Protocol):
    """The slots of one schedule, strictly increasing."""

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        """The first slot strictly after an aware UTC instant.

        Raises:
            InvalidInput: `too_complex`, when the budget is spent.
        """
        ...


class SingleSeries:
    """One slot: `once` and `in`; none where the local time does not exist (`gap=omit`)."""

    def __init__(self, local: datetime, at: datetime | None) -> None:
        self.local = local
        self.slot = None if at is None else Slot(at, local)

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        budget.spend()
        return self.slot if self.slot and self.slot.at > after else None


class IntervalSeries:
    """`anchor + n * every` on the UTC line, n from 0; never counted from a completion."""

    def __init__(self, anchor: datetime, every: timedelta, tz: ZoneInfo) -> None:
        self._anchor = anchor
        self.every = every
        self._tz = tz

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        budget.spend()
        number = max(0, (after - self._anchor) // self.every + 1)
        at = self._anchor + number * self.every
        return Slot(at, to_local(at, self._tz))

    def count(self, low: datetime, high: datetime) -> int:
        """How many slots lie in [low, high)."""

        def before(at: datetime) -> int:
            return max(0, -((self._anchor - at) // self.every))

        return max(0, before(high) - before(low))


class CronSeries:
    """What a cron expression names, by cronie's rules for clock changes."""

    def __init__(self, cron: Cron, tz: ZoneInfo, gap: Gap) -> None:
        self.names = CronExpander(cron)
        self.is_wildcard = cron.is_wildcard
        way = WallClock if cron.is_wildcard else FixedTimes
        self._resolver = way(self.names, tz, gap)

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        return self._resolver.after(after, budget)


class RuleSeries:
    """An RRULE with its RDATE and EXDATE, up to UNTIL or to the last one that COUNT names.

    RDATE adds, equal instants are one, EXDATE wins over both. `last` is COUNT closed: the
    local time of the last occurrence that counts.
    """

    is_wildcard = False

    def __init__(
        self, rules: RuleSet, anchor: datetime, tz: ZoneInfo, *, gap: Gap, last: datetime | None
    ) -> None:
        self.names: Expander = expander_for(rules.rule, anchor)
        self.rule = rules.rule
        self.anchor = anchor
        self._tz = tz
        self._resolver = LocalTimes(self.names, tz, gap)
        self._last = last or rules.rule.until
        self._extra = _extra_slots(rules.extra, tz, gap)
        self._removed_days = {day for day in rules.removed if not isinstance(day, datetime)}
        self._removed = {
            day if day.tzinfo else shifted_instant(day, tz)
            for day in rules.removed
            if isinstance(day, datetime)
        }

    def after(self, after: datetime, budget: Budget) -> Slot | None:
        while (slot := self._next(after, budget)) is not None:
            if slot.at not in self._removed and slot.local.date() not in self._removed_days:
                return slot
            budget.spend()
            after = slot.at
        return None

    @property
    def has_extra(self) -> bool:
        """Whether RDATE adds times, which the rule alone does not name."""
        return bool(self._extra)

    def closest_extra(self) -> timedelta | None:
        """The shortest distance between two RDATEs."""
        instants = [slot.at for slot in self._extra]
        return min((late - early for early, late in pairwise(instants)), default=None)

    def _next(self, after: datetime, budget: Budget) -> Slot | None:
        slot = self._resolver.after(after, budget)
        if slot is not None and self._is_over(slot):
            slot = None
        index = bisect_right(self._extra, after, key=_instant)
        if index == len(self._extra):
            return slot
        extra = self._extra[index]
        return extra if slot is None or extra.at < slot.at else slot

    def _is_over(self, slot: Slot) -> bool:
        last = self._last
        if last is None:
            return False
        return slot.local > last if last.tzinfo is None else slot.at > last


def _extra_slots(dates: Sequence[datetime], tz: ZoneInfo, gap: Gap) -> list[Slot]:
    slots = dict[datetime, Slot]()
    for day in dates:
        at = day if day.tzinfo else to_instant(day, tz, gap)
        if at is not None:
            slots[at] = Slot(at, to_local(at, tz) if day.tzinfo else day)
    return sorted(slots.values(), key=_instant)


def _instant(slot: Slot) -> datetime:
    return slot.at
