"""What becomes of a due task's slots: a run, a skip with its reason, or still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from ordinaut_mcp.domain.decision import Accounted, DueTask, NewRun, SkippedSlots
from ordinaut_mcp.domain.foresight import Foresight
from ordinaut_mcp.domain.occurrence import Accounting, jitter
from ordinaut_mcp.domain.run import RunKind, TaskId
from ordinaut_mcp.domain.schedule import Occurrence
from ordinaut_mcp.domain.task import Overlap, Policies, TaskStatus
from ordinaut_mcp.domain.zone import TZDATA_VERSION, to_local, zone


def account_for(task: DueTask, now: datetime, foresight: Foresight | None = None) -> Accounted:
    """Decide about every slot from `task.next_run_at` to `now`."""
    foreseen = (foresight or Foresight()).take(task, now)
    definition, due = foreseen.definition, foreseen.accounting
    rules = definition.policies
    # Overlap comes first: what it keeps out was not started, and max_runs counts what was.
    wanted, overlapped = _without_overlap(due.runs, task.live_runs, rules)
    started, beyond, spent = _within_max_runs(wanted, task, rules)
    ended = spent or due.next_at is None
    newest = _newest(due)
    return Accounted(
        runs=[_run(task.id, slot, due, rules=rules) for slot in started],
        skips=sorted(
            [
                *_skips(due),
                *_neighbours("overlap", overlapped, due),
                *_neighbours("max_runs", beyond, due),
            ],
            key=lambda skip: skip.first,
        ),
        next_run_at=None if ended else due.next_at,
        status=TaskStatus.COMPLETED if ended else TaskStatus.ACTIVE,
        tz_version=TZDATA_VERSION,
        ends_older_runs=rules.overlap is Overlap.CANCEL_RUNNING and bool(started),
        last_slot_at=newest,
        last_slot_local=newest and to_local(newest, zone(definition.schedule.timezone)),
    )


def _newest(due: Accounting) -> datetime | None:
    instants = [slot.at for slot in due.runs] + [stretch.last for stretch in due.skipped]
    return max(instants, default=None)


def slot_key(at: datetime) -> str:
    """The key of a schedule's slot: its nominal instant, which nothing moves."""
    return f"at:{at.isoformat()}"


def _within_max_runs(
    runs: Sequence[Occurrence], task: DueTask, rules: Policies
) -> tuple[Sequence[Occurrence], Sequence[Occurrence], bool]:
    if rules.max_runs is None:
        return runs, (), False
    left = max(0, rules.max_runs - task.runs_started)
    return runs[:left], runs[left:], len(runs) >= left


def _neighbours(
    reason: str, slots: Sequence[Occurrence], due: Accounting
) -> Sequence[SkippedSlots]:
    """One row for slots that lie side by side; a stretch of another reason parts them."""
    rows = list[SkippedSlots]()
    for slot in slots:
        last = rows[-1] if rows else None
        if last and not any(last.last < other.first < slot.at for other in due.skipped):
            rows[-1] = replace(last, last=slot.at, count=last.count + 1)
        else:
            rows.append(SkippedSlots(reason=reason, first=slot.at, last=slot.at, count=1))
    return rows


def _without_overlap(
    runs: Sequence[Occurrence], live: int, rules: Policies
) -> tuple[Sequence[Occurrence], Sequence[Occurrence]]:
    # Caught-up runs wait for one another; only an unfinished earlier run makes them overlap.
    if rules.overlap is Overlap.SKIP and live:
        return (), runs
    return runs, ()


def _run(task_id: TaskId, slot: Occurrence, due: Accounting, *, rules: Policies) -> NewRun:
    later = [other.at for other in due.runs if other.at > slot.at]
    following = later[0] if later else due.next_at
    room = following - slot.at if following else None
    delay = jitter(task_id, slot.at, rules.jitter, room) if rules.jitter else timedelta(0)
    return NewRun(
        slot_key=slot_key(slot.at),
        kind=RunKind.SCHEDULE,
        scheduled_for=slot.at,
        due_at=slot.at + delay,
        priority=rules.priority,
        serial=rules.overlap is not Overlap.ALLOW,
        limit=rules.limit(task_id),
    )


def _skips(due: Accounting) -> list[SkippedSlots]:
    return [
        SkippedSlots(
            reason=stretch.reason,
            first=stretch.first,
            last=stretch.last,
            count=stretch.count,
            is_exact=stretch.count_is_exact,
        )
        for stretch in due.skipped
    ]
