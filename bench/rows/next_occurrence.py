"""How long the next occurrence takes, whatever the rule, beside the libraries that compute it.

Each rule is asked from 200 instants of one year, of schedules that are built already. A peer is
compared over the rules that it knows; one that replays a rule from its anchor gets fewer
questions.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import datetime, timedelta
from random import Random
from statistics import median
from time import perf_counter

from harness import Finding, Goal, Ground, Spread
from peers.calendars import NOW, PEERS, ZONE, Ask, ours

ROW = "next_occurrence"
ASKS = 200
PATIENCE = 1.5
"""Seconds that one rule may take a peer before the rest of its questions is dropped."""
RULES: list[tuple[str, str | None]] = [
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
    ("*/5 * * * *", None),
    ("30 3 * * *", None),
    ("0 9 * * 1-5", None),
    ("0 0 29 2 *", None),
    ("0 0 13 * 5", None),
    ("every 15m", None),
    ("every 1d", None),
]


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Our own over every rule; then each peer over the rules that it knows."""
    random = Random(1)
    instants = [
        NOW + timedelta(seconds=random.randint(0, 31_536_000)) for _ in range(ground.size(ASKS, 40))
    ]
    found = {rule: timed(ours(*rule), instants) for rule in RULES}
    whole = [span for spans in found.values() for span in spans]
    remark = f"{len(RULES)} rules in {ZONE}"
    yield Finding(
        row=ROW, figure="next occurrence, median", unit="µs", ours=Spread((median(whole),)),
        goal=Goal(100, "at most", "ours"), remark=remark,
    )  # fmt: skip
    yield Finding(
        row=ROW, figure="next occurrence, worst", unit="µs", ours=Spread((max(whole),)),
        goal=Goal(20_000, "at most", "ours"), remark=f"{remark}; {_slowest(found)}",
    )  # fmt: skip
    for name in PEERS:
        yield from _beside(ground, name, instants)


def _beside(ground: Ground, name: str, instants: list[datetime]) -> Generator[Finding, None, None]:
    known = [(ours(*rule), ask) for rule in RULES if (ask := PEERS[name](*rule)) is not None]
    if not known:
        yield Finding(row=ROW, figure="next occurrence", peer=name, failure="not installed")
        return
    mine, theirs = list[float](), list[float]()
    for _ in range(ground.rounds):
        at = instants[:: ground.size(10, 10)]
        mine.append(median(span for our, _ in known for span in timed(our, at)))
        theirs.append(median(span for _, ask in known for span in timed(ask, at)))
    yield Finding(
        row=ROW, figure="next occurrence, median", unit="µs", ours=Spread(tuple(mine)),
        peer=name, theirs=Spread(tuple(theirs)), remark=f"over {len(known)} rules that it knows",
    )  # fmt: skip


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


def _slowest(found: dict[tuple[str, str | None], list[float]]) -> str:
    rule = max(found, key=lambda one: max(found[one]))
    return f"slowest {rule[0]}"
