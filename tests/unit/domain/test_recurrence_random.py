"""Random rules against expanders that share no code with ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random

from cronsim import CronSim
from dateutil.rrule import rrulestr

from ordinaut_mcp.domain.recurrence.budget import Budget
from ordinaut_mcp.domain.recurrence.cron_expand import CronExpander
from ordinaut_mcp.domain.recurrence.cron_text import parse_cron
from ordinaut_mcp.domain.recurrence.expand import Expander, expander_for
from ordinaut_mcp.domain.recurrence.rule import Freq, Rule
from ordinaut_mcp.domain.recurrence.rule_text import parse_rule
from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_preview
from ordinaut_mcp.domain.zone import zone
from ordinaut_mcp.errors import InvalidInput
from tests.doubles.slow_expander import slow_between
from tests.unit.domain.random_rules import COUNT, random_anchor, random_rule, random_window

SECOND = timedelta(seconds=1)
MOST = 40


def rules(seed: int, count: int) -> Iterator[tuple[str, Rule, datetime, Random]]:
    """Random rules that mean something, each with an anchor."""
    random = Random(seed)
    for _ in range(count):
        text, anchor = random_rule(random), random_anchor(random)
        try:
            yield text, parse_rule(text), anchor, random
        except InvalidInput:
            continue


def named(expander: Expander, start: datetime, end: datetime) -> list[datetime]:
    """The first `MOST` local times in [start, end); fewer where the search is given up."""
    found = list[datetime]()
    with suppress(InvalidInput):
        while len(found) < MOST:
            local = expander.first(start, Budget())
            if local is None or local >= end:
                break
            found.append(local)
            start = local + SECOND
    return found


def test_random_rules_name_what_brute_force_names() -> None:
    compared = 0
    for text, rule, anchor, random in rules(20261122, COUNT):
        start, end = random_window(random, anchor, rule.freq)
        expected = slow_between(rule, anchor, start=start, end=end)[:MOST]
        if expected:
            assert named(expander_for(rule, anchor), start, end) == expected, (text, anchor)
            compared += 1
    assert compared > COUNT // 2


def test_random_rules_name_what_dateutil_names() -> None:
    compared = 0
    for text, rule, anchor, _ in rules(4, COUNT):
        end = anchor + timedelta(days=400 if rule.freq <= Freq.WEEKLY else 30)
        ours = named(expander_for(rule, anchor), anchor, end)
        if len(ours) == MOST and "RSCALE" not in text and is_comparable(rule):
            theirs = list(islice(rrulestr(text, dtstart=anchor), MOST))
            assert ours == theirs, (text, anchor)
            compared += 1
    assert compared > COUNT // 20


def is_comparable(rule: Rule) -> bool:
    """Whether dateutil follows the RFC here.

    It takes every day of a BYWEEKNO, begins a first week at the anchor, and
    of numbered and plain weekdays together names none.
    """
    days = (rule.by_day, rule.by_month_day, rule.by_year_day)
    return not (
        (rule.by_week_no and not any(days))
        or (rule.by_set_pos and rule.freq == Freq.WEEKLY)
        or len({ordinal == 0 for ordinal, _ in rule.by_day}) == 2
    )


def random_cron(random: Random) -> str:
    def field(low: int, high: int) -> str:
        a, b = sorted((random.randint(low, high), random.randint(low, high)))
        return random.choice(
            ("*", "*", "*", str(a), f"{a}-{b}", f"{a},{b}", f"*/{random.randint(1, high)}")
        )

    ranges = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    return " ".join(field(low, high) for low, high in ranges)


def test_random_cron_expressions_name_what_cronsim_names() -> None:
    random, compared = Random(8), 0
    for _ in range(COUNT):
        text = random_cron(random)
        start = datetime.fromisoformat("1999-01-01T00:00") + timedelta(
            minutes=random.randint(0, 30 * 525_600)
        )
        ours = CronExpander(parse_cron(text)).first(start + SECOND, Budget())
        if ours is not None:
            assert ours == next(CronSim(text, start)), (text, start)
            compared += 1
    assert compared > COUNT * 9 // 10


def test_cron_runs_over_clock_changes_as_cronsim_runs_it() -> None:
    """Not at Lord Howe, whose change of half an hour cronsim steps over (nor in Apia or Troll)."""
    random = Random(9)
    changes = {
        "America/New_York": datetime(2027, 3, 14, 7, tzinfo=UTC),
        "Europe/Chisinau": datetime(2027, 10, 31, 1, tzinfo=UTC),
        "Africa/Cairo": datetime(2027, 4, 29, 22, tzinfo=UTC),
    }
    for _ in range(COUNT // 3):
        name = random.choice(list(changes))
        hour, minute = random.choice(("*", "*/2", "1", "2", "1-3")), random.randint(0, 59)
        text = f"{random.choice((str(minute), '*/15'))} {hour} * * *"
        after = changes[name] - timedelta(minutes=random.randint(1, 1_500))
        request = ScheduleRequest(expr=text, kind="cron", timezone=name)
        slots = compile_preview(request, after=after, now=after).slots_after(after)
        theirs = CronSim(text, after.astimezone(zone(name)))
        expected = [next(theirs).astimezone(UTC) for _ in range(6)]
        assert [slot.at for slot in islice(slots, 6)] == expected, (text, name, after)
