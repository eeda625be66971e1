"""Which parts of a rule may stand together (RFC 5545 section 3.3.10), and how large it may be."""

from __future__ import annotations

from math import gcd
from typing import Final

from ordinaut_mcp.domain.recurrence.rule import Freq, Rule
from ordinaut_mcp.errors import InvalidInput

MOST_TIMES: Final = 1_440
"""Times in one period: every minute of a day."""
LAST_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def invalid(message: str, hint: str) -> InvalidInput:
    """An error about the expression."""
    return InvalidInput(message, code="invalid_schedule", field="schedule_expr", hint=hint)


def check_rule(rule: Rule) -> None:
    """Refuse what the standard forbids, what contradicts itself and what is too large.

    Raises:
        InvalidInput: `invalid_schedule`, `never_fires` or `too_complex`.
    """
    if rule.count and rule.until:
        raise invalid("COUNT and UNTIL cannot stand together.", "Keep one of them.")
    _check_days(rule)
    _check_weekdays(rule)
    _check_size(rule)
    _check_positions(rule)
    _check_months(rule)


def _check_days(rule: Rule) -> None:
    name = rule.freq.name
    if rule.by_week_no and rule.freq != Freq.YEARLY:
        raise invalid(f"BYWEEKNO cannot stand with FREQ={name}.", "Use FREQ=YEARLY with it.")
    if rule.by_year_day and rule.freq in {Freq.MONTHLY, Freq.WEEKLY, Freq.DAILY}:
        raise invalid(f"BYYEARDAY cannot stand with FREQ={name}.", "Use FREQ=YEARLY with it.")
    if rule.by_month_day and rule.freq == Freq.WEEKLY:
        raise invalid("BYMONTHDAY cannot stand with FREQ=WEEKLY.", "Use FREQ=MONTHLY with it.")
    if rule.skip != "OMIT" and rule.freq > Freq.MONTHLY:
        raise invalid(
            f"SKIP={rule.skip} has no meaning with FREQ={name}.",
            "SKIP moves days that a month or year lacks: use FREQ=MONTHLY or FREQ=YEARLY.",
        )


def _check_weekdays(rule: Rule) -> None:
    highest = max((abs(ordinal) for ordinal, _ in rule.by_day), default=0)
    if not highest:
        return
    if rule.freq > Freq.MONTHLY or rule.by_week_no:
        beside = "BYWEEKNO" if rule.by_week_no else f"FREQ={rule.freq.name}"
        raise invalid(
            f"BYDAY cannot have numbers beside {beside}.",
            "Write BYDAY=MO, or use FREQ=MONTHLY;BYDAY=1MO for the first Monday of each month.",
        )
    if highest > 5 and (rule.freq == Freq.MONTHLY or rule.by_month):
        raise invalid(f"No month has a weekday {highest} times.", "Write 1 to 5, or -1 to -5.")


def _check_size(rule: Rule) -> None:
    if _times(rule) > MOST_TIMES:
        raise InvalidInput(
            f"The rule names more than {MOST_TIMES} times in one period.",
            code="too_complex",
            field="schedule_expr",
            hint="Use FREQ=MINUTELY or schedule_kind interval, or fewer BY values.",
        )


def _check_positions(rule: Rule) -> None:
    if not rule.by_set_pos:
        return
    by = (rule.by_month, rule.by_week_no, rule.by_year_day, rule.by_month_day)
    if not any((*by, rule.by_day, rule.by_hour, rule.by_minute, rule.by_second)):
        raise invalid("BYSETPOS needs another BY part.", "Add what it chooses from, such as BYDAY.")
    largest = _most_days(rule) * _times(rule)
    beyond = [place for place in rule.by_set_pos if abs(place) > largest]
    if beyond:
        raise invalid(
            f"BYSETPOS={beyond[0]} lies beyond the rule's largest set of {largest}.",
            f"Choose from 1 to {largest}, or -1 to -{largest}.",
        )


def _check_months(rule: Rule) -> None:
    """A day that none of the months has: the commonest way to write a rule that never fires."""
    if not (rule.by_month and rule.by_month_day) or rule.skip != "OMIT":
        return
    longest = max(LAST_DAYS[month - 1] for month in rule.by_month)
    if all(abs(day) > longest for day in rule.by_month_day):
        raise InvalidInput(
            f"The rule never fires: none of its months has {longest + 1} days or more.",
            code="never_fires",
            field="schedule_expr",
            hint="For the last day of a month write BYMONTHDAY=-1.",
        )


def _times(rule: Rule) -> int:
    """How many times of day, hour or minute a period can hold."""
    count = len(rule.by_hour) or 1 if rule.freq < Freq.HOURLY else 1
    count *= len(rule.by_minute) or 1 if rule.freq < Freq.MINUTELY else 1
    return count * (len(rule.by_second) or 1 if rule.freq < Freq.SECONDLY else 1)


def _most_days(rule: Rule) -> int:
    """An upper bound on the days that one period holds."""
    if rule.freq >= Freq.DAILY:
        return 1
    if rule.freq == Freq.WEEKLY:
        return len(rule.by_day) or 1
    months = 1 if rule.freq == Freq.MONTHLY else len(rule.by_month) or 12
    if rule.by_month_day:
        return len(rule.by_month_day) * months
    if rule.freq == Freq.MONTHLY or (rule.by_month and rule.by_day):
        return (sum(1 if ordinal else 5 for ordinal, _ in rule.by_day) or 1) * months
    if rule.by_year_day or rule.by_week_no:
        return len(rule.by_year_day) or len(rule.by_week_no) * 7
    return sum(1 if ordinal else 53 for ordinal, _ in rule.by_day) or months


def can_align(rule: Rule, origin: int, per_day: int) -> bool:
    """Whether INTERVAL ever lands on the hours, minutes and seconds that filter a sub-daily rule.

    `origin` is the anchor's unit of its day, of which there are `per_day`. INTERVAL reaches
    exactly the units that leave the same rest as the origin when divided by their common divisor.
    """
    step = gcd(rule.interval, per_day)
    levels = ((rule.by_hour, 24), (rule.by_minute, 60), (rule.by_second, 60))
    reached = {0}
    for values, size in levels[: rule.freq - Freq.DAILY]:
        digits = values or range(size)
        reached = {(rest * size + digit) % step for rest in reached for digit in digits}
    return origin % step in reached
