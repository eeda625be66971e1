"""One run for each slot, and every slot a run or a reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise, takewhile

from ordinaut_mcp.domain.materialise import slot_key
from ordinaut_mcp.domain.schedule import Schedule
from ordinaut_mcp.domain.stuck import computable
from ordinaut_mcp.domain.task import TaskDefinition
from tests.chaos.history import History, RunSeen, TaskSeen

FIRST = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


def each_slot_has_at_most_one_run(history: History) -> Sequence[str]:
    """No slot became two runs, whatever the slot table says."""
    keyed = Counter((slot.task_id, slot.key) for slot in history.slots)
    named = Counter(
        (run.task_id, run.scheduled_for) for run in _scheduled(history) if run.state != "skipped"
    )
    return [
        *(
            f"task {task}: the slot {key} became {n} runs"
            for (task, key), n in keyed.items()
            if n > 1
        ),
        *(f"task {task}: {at} became {n} runs" for (task, at), n in named.items() if n > 1),
    ]


def each_slot_is_a_run_or_a_reason(history: History) -> Sequence[str]:
    """Each slot, expanded anew from what is stored, is accounted for exactly once."""
    wrong = list[str]()
    keys = {(slot.task_id, slot.key) for slot in history.slots}
    skips = defaultdict[int, list[RunSeen]](list)
    for run in _scheduled(history):
        if run.state == "skipped":
            skips[run.task_id].append(run)
    for task in history.tasks:
        stretches = sorted(skips[task.id], key=lambda run: run.scheduled_for)
        wrong += _unaccounted(task, keys, stretches)
    return wrong


def nothing_runs_that_is_no_slot(history: History) -> Sequence[str]:
    """Schedule runs have instants that the schedule names."""
    named = {task.id: set(_slots(task)) for task in history.tasks}
    return [
        f"run {run.id} of task {run.task_id}: {run.scheduled_for} is no slot"
        for run in _scheduled(history)
        if run.task_id in named and run.scheduled_for not in named[run.task_id]
    ]


def every_promised_run_exists(history: History) -> Sequence[str]:
    """What a caller was told to be ordered is there, as the run that was named."""
    kept = {(slot.task_id, slot.key): slot.run_id for slot in history.slots}
    return [
        f"task {order.task_id}: {order.key} was promised as run {order.run_id}, there is {found}"
        for order in history.orders
        if (found := kept.get((order.task_id, order.key))) != order.run_id
    ]


def _scheduled(history: History) -> Iterator[RunSeen]:
    return (run for run in history.runs if run.kind == "schedule")


def _slots(task: TaskSeen) -> Iterator[datetime]:
    """All instants that should be accounted for: those before the next one to come."""
    schedule: Schedule = computable(TaskDefinition.from_dict(task.definition).schedule)
    end = task.next_run_at
    every = (slot.at for slot in schedule.slots_after(FIRST))
    return every if end is None else takewhile(lambda at: at < end, every)


def _unaccounted(
    task: TaskSeen, keys: set[tuple[int, str]], stretches: Sequence[RunSeen]
) -> list[str]:
    wrong, counted, turn = list[str](), Counter[int](), 0
    for at in _slots(task):
        while turn < len(stretches) and _until(stretches[turn]) < at:
            turn += 1
        stretch = stretches[turn] if turn < len(stretches) else None
        is_skipped = stretch is not None and stretch.scheduled_for <= at
        if stretch is not None and is_skipped:
            counted[stretch.id] += 1
        times = is_skipped + ((task.id, slot_key(at)) in keys)
        if times != 1:
            wrong.append(f"task {task.id}: the slot {at} is accounted for {times} times")
    return [*wrong, *_overlapping(stretches), *_miscounted(stretches, counted)]


def _until(stretch: RunSeen) -> datetime:
    return stretch.skipped_until or stretch.scheduled_for


def _overlapping(stretches: Sequence[RunSeen]) -> list[str]:
    return [
        f"task {one.task_id}: the skips {one.id} and {two.id} overlap"
        for one, two in pairwise(stretches)
        if _until(one) >= two.scheduled_for
    ]


def _miscounted(stretches: Sequence[RunSeen], counted: Counter[int]) -> list[str]:
    return [
        f"task {one.task_id}: the skip {one.id} says {one.skipped_count} slots, it covers {found}"
        for one in stretches
        if one.skipped_is_exact and (found := counted[one.id]) != one.skipped_count
    ] + [
        f"task {one.task_id}: the skip {one.id} has no reason"
        for one in stretches
        if not one.reason
    ]
