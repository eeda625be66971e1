"""Named holiday calendars: public holidays of countries and their parts, and of exchanges.

The dates are those of the `holidays` package. A name is an ISO 3166-1 country code (`MD`), one
with a part of the country after a hyphen (`US-CA`, ISO 3166-2), or an exchange's code (`XNYS`,
ISO 10383).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Final

from ordinaut_mcp.errors import InvalidInput, did_you_mean

YEARS_AHEAD: Final = 12
"""How far holidays are enumerated; single dates are asked whatever the year."""


class HolidayCalendar:
    """The holidays of one calendar, year by year as they are asked for."""

    def __init__(self, name: str, days: Mapping[date, str]) -> None:
        self.name = name
        self._days = days

    def holiday(self, day: date) -> str | None:
        """What the day is called, None: it is no holiday."""
        return self._days.get(day)

    def days_from(self, day: date) -> Iterator[date]:
        """The holidays from a day on, in order, some years ahead."""
        for year in range(day.year, day.year + YEARS_AHEAD):
            yield from sorted(found for found in _of_year(self.name, year) if found >= day)


@lru_cache(maxsize=64)
def holiday_calendar(name: str) -> HolidayCalendar:
    """The calendar with this name.

    Raises:
        InvalidInput: `unknown_calendar`, with the nearest name.
    """
    return HolidayCalendar(name, _lookup(name))


def _lookup(name: str, year: int | None = None) -> Mapping[date, str]:
    import holidays

    if name in holidays.list_supported_financial():
        return holidays.financial_holidays(name, years=year)
    country, _, part = name.partition("-")
    parts = holidays.list_supported_countries().get(country)
    if parts is None or (part and part not in parts) or name.endswith("-"):
        raise _unknown(name)
    return holidays.country_holidays(country, subdiv=part or None, years=year)


@lru_cache(maxsize=256)
def _of_year(name: str, year: int) -> tuple[date, ...]:
    return tuple(_lookup(name, year))


def _unknown(name: str) -> InvalidInput:
    import holidays

    countries = holidays.list_supported_countries()
    known = [*countries, *holidays.list_supported_financial()]
    country, _, part = name.partition("-")
    if part and country in countries:
        known = [f"{country}-{found}" for found in countries[country]]
    return InvalidInput(
        f"There is no holiday calendar '{name[:60]}'.",
        code="unknown_calendar",
        field="exclude_calendar",
        hint=did_you_mean(name[:60], known)
        or "Give a country (MD), a part of one (US-CA), or an exchange (XNYS).",
    )
