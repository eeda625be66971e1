"""Random recurrence rules and anchors, the same for the same seed."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from random import Random

from ordinaut_mcp.domain.recurrence.rule import WEEKDAYS, Freq

COUNT = int(os.environ.get("ORDINAUT_RANDOM_RULES", "600"))
"""How many rules a run tries; nightly runs set thousands."""

SPANS = {
    Freq.YEARLY: 2_000,
    Freq.MONTHLY: 900,
    Freq.WEEKLY: 400,
    Freq.DAILY: 300,
    Freq.HOURLY: 30,
    Freq.MINUTELY: 4,
    Freq.SECONDLY: 1,
}
"""Days that are compared, by frequency."""


def random_rule(random: Random) -> str:
    """One rule that the grammar allows, though perhaps not its meaning."""
    freq = random.choice(list(Freq))
    parts = [f"FREQ={freq.name}"]

    def maybe(chance: float, name: str, span: tuple[int, int], *, most: int) -> None:
        if random.random() < chance:
            signed = name in {"BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYSETPOS"}
            values = {
                random.randint(*span) * (random.choice((1, 1, -1)) if signed else 1)
                for _ in range(random.randint(1, most))
            }
            parts.append(f"{name}={','.join(map(str, sorted(values)))}")

    if random.random() < 0.5:
        parts.append(f"INTERVAL={random.choice((1, 2, 3, 5, 7, 12, random.randint(1, 97)))}")
    maybe(0.3, "BYMONTH", (1, 12), most=5)
    maybe(0.2 if freq == Freq.YEARLY else 0, "BYWEEKNO", (1, 53), most=4)
    maybe(0.15 if freq in {Freq.YEARLY, *list(Freq)[4:]} else 0, "BYYEARDAY", (1, 366), most=8)
    maybe(0.25 if freq != Freq.WEEKLY else 0, "BYMONTHDAY", (1, 31), most=6)
    if random.random() < 0.35:
        parts.append(f"BYDAY={_weekdays(random, freq, parts)}")
    maybe(0.3, "BYHOUR", (0, 23), most=4)
    maybe(0.3, "BYMINUTE", (0, 59), most=4)
    maybe(0.2, "BYSECOND", (0, 59), most=3)
    maybe(0.25, "BYSETPOS", (1, random.choice((2, 4, 10))), most=2)
    if random.random() < 0.3:
        parts.append(f"WKST={random.choice(WEEKDAYS)}")
    if freq <= Freq.MONTHLY and random.random() < 0.3:
        parts.append(f"RSCALE=GREGORIAN;SKIP={random.choice(('OMIT', 'FORWARD', 'BACKWARD'))}")
    return ";".join(parts)


def _weekdays(random: Random, freq: Freq, parts: list[str]) -> str:
    numbered = freq <= Freq.MONTHLY and not any(part.startswith("BYWEEKNO") for part in parts)
    days = {
        (str(random.choice((1, 2, 3, 4, 5, -1, -2))) if numbered and random.random() < 0.4 else "")
        + random.choice(WEEKDAYS)
        for _ in range(random.randint(1, 4))
    }
    return ",".join(sorted(days))


def random_anchor(random: Random) -> datetime:
    """An anchor in the years 1995 to 2030; often at the end of a month."""
    anchor = datetime.fromisoformat("1995-01-01T00:00") + timedelta(
        seconds=random.randint(0, 36 * 31_557_600)
    )
    if random.random() < 0.3:
        return anchor.replace(month=random.choice((1, 3, 5, 7, 8, 10, 12)), day=31)
    return anchor


def random_window(random: Random, anchor: datetime, freq: Freq) -> tuple[datetime, datetime]:
    """A span to compare, from a month before the anchor to a quarter of a century after it."""
    days = random.uniform(-30, random.choice((1, 400, 9_000)))
    start = (anchor + timedelta(days=days)).replace(microsecond=0)
    return start, start + timedelta(days=SPANS[freq])
