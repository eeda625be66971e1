"""What was materialised is live or finished, at every moment."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos.history import History


def live_and_finished_are_what_was_materialised(history: History) -> Sequence[str]:
    """In each snapshot: one slot, one run, and that run is in the queue or finished."""
    return [
        f"at {sample.at}: {sample.materialised} slots, {sample.live} live,"
        f" {sample.finished} finished"
        for sample in history.samples
        if sample.live + sample.finished != sample.materialised
    ]


def the_queue_and_the_history_agree(history: History) -> Sequence[str]:
    """Who is unfinished has due work, who is finished has none, and each run has one slot."""
    real = {run.id for run in history.runs if run.state != "skipped"}
    unfinished = {run.id for run in history.runs if run.state == "queued"}
    live = {row.run_id for row in history.live}
    slotted = {slot.run_id for slot in history.slots}
    return [
        *(f"run {run} is unfinished and has no due work" for run in sorted(unfinished - live)),
        *(f"run {run} has due work and is not unfinished" for run in sorted(live - unfinished)),
        *(f"run {run} has no slot" for run in sorted(real - slotted)),
        *(f"a slot names run {run}, which is not there" for run in sorted(slotted - real)),
    ]


def everything_has_ended_or_waits(history: History) -> Sequence[str]:
    """After the healing the queue drains: what is left waits for somebody."""
    return [
        f"run {row.run_id} is still {row.state}" for row in history.live if row.state != "waiting"
    ]


def everything_came_about_in_time(history: History) -> Sequence[str]:
    """After the healing slots are accounted for, the queue drains, and events are published."""
    return history.late
