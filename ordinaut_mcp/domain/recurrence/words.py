"""A schedule in one plain sentence that a person can check."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from ordinaut_mcp.domain.duration import in_words
from ordinaut_mcp.domain.recurrence.cron_text import Cron
from ordinaut_mcp.domain.recurrence.filled import filled
from ordinaut_mcp.domain.recurrence.notes import clock, day_of
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule

DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
UNITS: Final = ("year", "month", "week", "day", "hour", "minute", "second")
MOST_LISTED: Final = 7
"""More days than these are counted and not listed."""
MOST_TIMES: Final = 4
"""More times of day than these are counted and not listed."""


def once_in_words(local: datetime, timezone: str) -> str:
    """`Once on Thu 24 Dec 2026 at 18:00 in Europe/Chisinau`."""
    return f"Once on {day_of(local)} at {clock(local)} in {timezone}"


def interval_in_words(every: timedelta) -> str:
    """`Every 15 minutes`."""
    words = in_words(every)
    number, _, unit = words.partition(" ")
    return f"Every {unit}" if number == "1" and " " not in unit else f"Every {words}"


def cron_in_words(cron: Cron, timezone: str) -> str:
    """`Every weekday at 08:30 in Europe/Chisinau`."""
    weekdays = sorted((day - 1) % 7 for day in cron.weekdays)
    every_day, every_weekday = len(cron.days) == 31, len(weekdays) == 7
    on_weekdays = "every day" if every_weekday else _weekdays([(0, day) for day in weekdays])
    on_days = _days_of_month(cron.days)
    if every_day:
        days = on_weekdays
    elif every_weekday:
        days = f"on {on_days}"
    elif cron.needs_both_days:
        days = f"on {on_days} if it is {_list([DAYS[day] for day in weekdays], 'or')}"
    else:
        days = f"on {on_days} and {on_weekdays}"
    months = "" if len(cron.months) == 12 else _in_months(cron.months)
    at = _cron_times(cron)
    if at.startswith("every") and days == "every day":
        return _sentence(at, months, timezone)
    return _sentence(
        f"{days}, {at}" if at.startswith("every") else f"{days} {at}", months, timezone
    )


def rule_in_words(rule: Rule, anchor: datetime, timezone: str) -> str:
    """`Every 2 weeks on Monday and Friday at 09:00 in UTC, 10 times`."""
    whole = filled(rule, anchor)
    parts = [_every(rule), _rule_days(whole)]
    if rule.freq < Freq.HOURLY:
        parts.append(_at_times(whole.by_hour, whole.by_minute, whole.by_second))
    else:
        parts.append(_filters(rule))
    words = " ".join(filter(None, parts))
    for period in ("every week on ", "every day on "):
        if words.startswith(period):
            words = "every " + words.removeprefix(period).replace("weekdays", "weekday", 1)
    months = _in_months(whole.by_month) if rule.by_month or rule.freq == Freq.YEARLY else ""
    if rule.freq == Freq.YEARLY and whole.by_month_day and len(whole.by_month) == 1:
        months = ""  # said with the day
    return _sentence(words, months, timezone) + _end(rule)


def _every(rule: Rule) -> str:
    unit = UNITS[rule.freq]
    return f"every {unit}" if rule.interval == 1 else f"every {rule.interval} {unit}s"


def _rule_days(rule: Rule) -> str:
    if rule.freq == Freq.YEARLY and rule.by_month_day and len(rule.by_month) == 1:
        days = _list([str(day) if day > 0 else _nth(day) for day in rule.by_month_day])
        said = f"on {days} {MONTHS[rule.by_month[0] - 1]}"
    else:
        said = _numbered_days(rule)
    if rule.by_day:
        weekdays = _weekdays(rule.by_day, every=False)
        limits = rule.by_month_day or rule.by_year_day
        said = f"{said} if it is {weekdays}" if limits else f"on {weekdays} {said}".strip()
    if rule.by_set_pos:
        said += f", only the {_list([_nth(place) for place in rule.by_set_pos])} of these,"
    return said


def _numbered_days(rule: Rule) -> str:
    said = list[str]()
    if rule.by_month_day:
        said.append(f"on {_days_of_month(rule.by_month_day)}")
    if rule.by_year_day:
        said.append(f"on the {_list([_nth(day) for day in rule.by_year_day])} day of the year")
    if rule.by_week_no:
        said.append(f"in week {_list([str(week) for week in rule.by_week_no])}")
    return " ".join(said)


def _days_of_month(days: Sequence[int]) -> str:
    if len(days) > MOST_LISTED:
        return f"{len(days)} days of the month from the {_nth(days[0])} to the {_nth(days[-1])}"
    last = " day" if tuple(days) == (-1,) else ""
    return f"the {_list([_nth(day) for day in days])}{last} of the month"


def _weekdays(days: Sequence[tuple[int, int]], *, every: bool = True) -> str:
    """`every weekday`, `every Monday and Friday`, `the first Monday`."""
    lead = "every " if every else ""
    plain = [day for ordinal, day in days if not ordinal]
    if plain == [0, 1, 2, 3, 4] and len(days) == 5:
        return "every weekday" if every else "weekdays"
    if plain == [5, 6] and len(days) == 2:
        return f"{lead}Saturday and Sunday"
    names = [f"the {_nth(ordinal)} {DAYS[day]}" for ordinal, day in days if ordinal]
    return lead + _list([*names, *(DAYS[day] for day in plain)])


def _cron_times(cron: Cron) -> str:
    minute, hour = cron.fields[0], cron.fields[1]
    every_hour = len(cron.hours) == 24
    if len(cron.minutes) == 60:
        if every_hour:
            return "every minute"
        return f"every minute of {_hours(cron)}"
    if minute.startswith("*/") and "," not in minute and 60 % int(minute[2:]) == 0:
        words = f"every {minute[2:]} minutes"
        return words if every_hour else f"{words} of {_hours(cron)}"
    minutes = _list([f":{minute:02}" for minute in cron.minutes])
    if every_hour:
        return f"every hour at {minutes}"
    if hour.startswith("*/") and "," not in hour and 24 % int(hour[2:]) == 0:
        return f"every {hour[2:]} hours at {minutes}"
    return _at_times(cron.hours, cron.minutes, (0,))


def _hours(cron: Cron) -> str:
    hours = cron.hours
    if len(hours) > 2 and hours == tuple(range(hours[0], hours[-1] + 1)):
        return f"the hours {hours[0]:02} to {hours[-1]:02}"
    return f"the hour{'s' if len(hours) > 1 else ''} {_list([f'{hour:02}' for hour in hours])}"


def _at_times(hours: Sequence[int], minutes: Sequence[int], seconds: Sequence[int]) -> str:
    count = len(hours) * len(minutes) * len(seconds)
    times = [
        f"{hour:02}:{minute:02}" + (f":{second:02}" if any(seconds) else "")
        for hour in hours
        for minute in minutes
        for second in seconds
    ]
    if count > MOST_TIMES:
        return f"at {count} times from {times[0]} to {times[-1]}"
    return f"at {_list(times)}"


def _filters(rule: Rule) -> str:
    said = list[str]()
    for values, unit in ((rule.by_hour, "hour"), (rule.by_minute, "minute")):
        if values:
            plural = "s" if len(values) > 1 else ""
            said.append(f"in the {unit}{plural} {_list([f'{value:02}' for value in values])}")
    if rule.by_second:
        said.append(f"at second {_list([str(value) for value in rule.by_second])}")
    return " ".join(said)


def _in_months(months: Sequence[int]) -> str:
    return f" in {_list([MONTHS[month - 1] for month in months])}" if months else ""


def _end(rule: Rule) -> str:
    if rule.count:
        return ", once" if rule.count == 1 else f", {rule.count} times"
    if rule.until is None:
        return ""
    zone = " UTC" if rule.until.tzinfo else ""
    return f", until {day_of(rule.until)} {clock(rule.until)}{zone}"


def _nth(number: int) -> str:
    """`1st`, `22nd`, `last`, `2nd last`."""
    if number == -1:
        return "last"
    size = abs(number)
    ending = (
        "th" if size % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(size % 10, "th")
    )
    return f"{size}{ending}" + (" last" if number < 0 else "")


def _list(words: Sequence[str], last: str = "and") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def _sentence(words: str, months: str, timezone: str) -> str:
    words = words.replace(",,", ",").strip(" ,")
    return f"{words[0].upper()}{words[1:]}{months} in {timezone}"
