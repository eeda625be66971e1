"""No write under an old epoch: who has lost a run changes nothing of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tests.chaos.checker.replay import commits, names, of_source
from tests.chaos.history import History, Write

Queue: TypeAlias = "dict[int, Write]"
"""The newest write of each run's due work that was committed; gone when it was deleted."""


def epochs_only_grow(history: History) -> Sequence[str]:
    """Each claim raises the epoch by one, and nothing else touches it."""
    wrong, newest = list[str](), dict[int, int]()
    for write in of_source(history, "due_work"):
        if write.run_id is None or write.epoch is None:
            continue
        before = newest.get(write.run_id)
        is_claim = write.state == "running" and write.old_state != "running"
        if before is not None and write.epoch != before + is_claim:
            wrong.append(f"run {write.run_id}: epoch {before}, then {write.epoch} ({write.state})")
        newest[write.run_id] = write.epoch
    return wrong


def nothing_is_written_under_an_old_epoch(history: History) -> Sequence[str]:
    """A line of the journal has the epoch of the lease that holds at that moment."""
    return [
        f"run {write.run_id}, step {write.key}: {write.who} wrote {write.state} under epoch"
        f" {write.epoch}, the run was {_told(held)}"
        for write, held in _journalled(history)
        if held is None or held.state != "running" or held.epoch != write.epoch
    ]


def only_the_holder_writes(history: History) -> Sequence[str]:
    """The journal is written, and leases are renewed, by the process that holds the lease."""
    known, wrong = names(history), list[str]()
    for write, held in [*_journalled(history), *_renewed(history)]:
        holder = known.get(held.process_id or 0) if held else None
        if holder is not None and write.who is not None and write.who != holder:
            what = f"step {write.key}" if write.source == "step" else "its lease"
            wrong.append(f"run {write.run_id}: {write.who} wrote {what}, {holder} held the run")
    return wrong


def a_run_ends_with_its_due_work(history: History) -> Sequence[str]:
    """The end of a run is written where its due work is deleted, and never changed after it."""
    wrong = list[str]()
    for writes in commits(history):
        deleted = {
            write.run_id for write in writes if write.source == "due_work" and write.op == "D"
        }
        ended = {write.run_id for write in writes if _is_end(write)}
        wrong += [f"run {run}: it ended and kept its due work" for run in ended - deleted]
        wrong += [f"run {run}: its due work went and it did not end" for run in deleted - ended]
        wrong += [
            f"run {write.run_id}: was {write.old_state} and became {write.state}"
            for write in writes
            if write.source == "run"
            and write.op == "U"
            and write.old_state not in {"queued", "skipped", write.state}
        ]
    return wrong


def _is_end(write: Write) -> bool:
    return write.source == "run" and write.old_state == "queued" and write.state != "queued"


def _journalled(history: History) -> Iterator[tuple[Write, Write | None]]:
    """Lines that a worker wrote, each with the queue's row before its transaction."""
    for write, held, writes in _with_queue(history, "step"):
        if write.op != "D" and not _is_left_open(write, writes):
            yield write, held


def _renewed(history: History) -> Iterator[tuple[Write, Write | None]]:
    """Writes that moved the end of a lease; whoever asks for the end of a run does not."""
    for write, held, _ in _with_queue(history, "due_work"):
        stays = write.op == "U" and (write.state, write.old_state) == ("running", "running")
        if stays and write.digest != write.old_digest:
            yield write, held


def _with_queue(
    history: History, source: str
) -> Iterator[tuple[Write, Write | None, Sequence[Write]]]:
    queue: Queue = {}
    for writes in commits(history):
        for write in writes:
            if write.source == source and write.run_id is not None:
                yield write, queue.get(write.run_id), writes
        _apply(queue, writes)


def _apply(queue: Queue, writes: Sequence[Write]) -> None:
    for write in writes:
        if write.source == "due_work" and write.run_id is not None:
            if write.op == "D":
                queue.pop(write.run_id, None)
            else:
                queue[write.run_id] = write


def _is_left_open(write: Write, writes: Sequence[Write]) -> bool:
    """A step under way when its run was ended from outside becomes unknown; that is no result."""
    return (
        write.op == "U"
        and write.state == "unknown"
        and write.old_state == "running"
        and write.epoch == write.old_epoch
        and any(
            one.source == "due_work" and one.op == "D" and one.run_id == write.run_id
            for one in writes
        )
    )


def _told(held: Write | None) -> str:
    return "over" if held is None else f"{held.state} in epoch {held.epoch}"
