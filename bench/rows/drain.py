"""Drain of due no-op runs by one worker process, beside every peer and the raw limit.

Ours keeps a journal, a run history and a lifecycle event for each run. Adding is measured in
the same rounds.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from draining import Drained, drained
from harness import Finding, Goal, Ground
from peers.pgqueuer import BATCHES

ROW = "drain"


@dataclass(frozen=True, slots=True)
class Against:
    """A peer, how many of its runs make a measure, and the goal beside it."""

    name: str
    title: str
    full: int
    quick: int
    goal: Goal | None = None


FAST = (20_000, 1_000)
AGAINST = (
    Against("pgqueuer", "PgQueuer, asyncpg", *FAST, Goal(1.5, "at least", "ratio")),
    Against("procrastinate", "Procrastinate", 1_000, 200, Goal(30, "at least", "ratio")),
    Against("raw", "raw SKIP LOCKED, 500", 40_000, 5_000, Goal(0.3, "at least", "ratio")),
    Against("dbos", "DBOS queue", 500, 100),
    Against("apscheduler", "APScheduler, SQLAlchemyJobStore", 1_000, 200),
)


def measure(ground: Ground) -> Generator[Finding, None, None]:
    """Each peer in alternated rounds with ours; one that fails does not end the others."""
    for peer in AGAINST:
        try:
            yield from _beside(ground, peer)
        except Exception as error:  # noqa: BLE001 — the table tells of it
            reason = f"{type(error).__name__}: {error}"
            yield Finding(row=ROW, figure="drain", peer=peer.title, goal=peer.goal, failure=reason)


def _beside(ground: Ground, peer: Against) -> Generator[Finding, None, None]:
    runs, theirs = ground.size(FAST[0], FAST[1]), ground.size(peer.full, peer.quick)
    option = best_batch(ground, theirs) if peer.name == "pgqueuer" else ""
    title = f"{peer.title}, batch {option}" if option else peer.title
    found: dict[str, list[Drained]] = {"ordinaut": [], peer.name: []}

    def one(name: str, many: int, how: str) -> float:
        found[name].append(drained(ground, name, many, how))
        return found[name][-1].drain

    ours, beside = ground.alternated(
        lambda: one("ordinaut", runs, ""), lambda: one(peer.name, theirs, option)
    )
    remark = f"{runs} runs, theirs {theirs}; {_kept(found['ordinaut'][-1], runs)}"
    yield Finding(
        row=ROW, figure="drain", unit="runs/s", ours=ours, peer=title, theirs=beside,
        goal=peer.goal, remark=remark,
    )  # fmt: skip
    yield _adding(found, peer.name, title)


def _adding(found: dict[str, list[Drained]], name: str, title: str) -> Finding:
    from harness import Spread

    ours, theirs = (
        Spread(tuple(one.adding for one in found[system])) for system in ("ordinaut", name)
    )
    return Finding(row=ROW, figure="adding", unit="runs/s", ours=ours, peer=title, theirs=theirs)


def best_batch(ground: Ground, runs: int) -> str:
    """The batch with which PgQueuer is fastest here; it is tried, not assumed."""
    tried = {batch: drained(ground, "pgqueuer", runs, batch).drain for batch in BATCHES}
    return max(tried, key=lambda batch: tried[batch])


def _kept(last: Drained, runs: int) -> str:
    """What stands in the database after ours: no speed by leaving out what was promised."""
    succeeded, steps, events = last.kept or (0, 0, 0)
    said = f"kept {succeeded} run rows, {steps} steps, {events} events"
    whole = succeeded == steps == runs and events >= runs
    return said if whole else f"{said} — NOT WHOLE"
