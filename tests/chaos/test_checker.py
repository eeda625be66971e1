"""A checker that cannot fail is worth nothing: each invariant catches the history made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.checker import INVARIANTS, violations
from tests.chaos.checker.calls import repeated
from tests.chaos.histories import (
    KEY,
    Log,
    a_call,
    a_run,
    a_skip,
    a_slot,
    a_step,
    a_task,
    at,
    good,
    live,
)
from tests.chaos.history import EntrySeen, EventSeen, History, Order, Sample, Write

Spoil = Callable[[History], History]


def with_writes(history: History, change: Callable[[Write], Write | None]) -> History:
    """The log with each line changed, or taken out."""
    changed = [found for write in history.writes if (found := change(write)) is not None]
    return replace(history, writes=changed)


def with_more_writes(history: History, *more: dict[str, Any]) -> History:
    """The log with lines at its end, in transactions of their own."""
    log = Log()
    for _ in history.writes:
        log.write(0, 0, "run", "U")
    added = [log.write(one.pop("seconds", 99), 9000 + n, **one) for n, one in enumerate(more)]
    return replace(history, writes=[*history.writes, *added])


def a_write(source: str, op: str = "U", **more: Any) -> dict[str, Any]:
    return {"source": source, "op": op, **more}


def entry(event: int, sequence: int, stream: str = "ordinaut:events:1") -> EntrySeen:
    return EntrySeen(stream=stream, event_id=event, run_id=1, sequence=sequence)


def event(number: int, sequence: int, topic: str = "run.succeeded", **more: Any) -> EventSeen:
    plain = EventSeen(id=number, run_id=1, sequence=sequence, topic=topic, is_published=True)
    return replace(plain, **more)


def zombie_step(history: History) -> History:
    """Process 2 has claimed run 1 anew, and then process 1 writes its result."""
    running: dict[str, Any] = {"state": "running", "run_id": 1, "key": KEY, "place": 1}
    claim = a_write("due_work", old_state="retrying", epoch=2, process_id=2, who="p2", **running)
    late = a_write("step", run_id=1, key="b", state="succeeded", epoch=1, who="p1")
    cut = with_writes(history, lambda write: None if write.transaction == 1004 else write)
    return with_more_writes(cut, claim, late)


def renewed_by_another(history: History, digest: str = "later") -> History:
    """Process 2 renews the lease that process 1 holds."""
    cut = with_writes(history, lambda write: None if write.transaction == 1004 else write)
    same: dict[str, Any] = {"state": "running", "old_state": "running", "epoch": 1, "old_epoch": 1}
    same |= {"process_id": 1, "digest": digest, "old_digest": "sooner"}
    return with_more_writes(cut, a_write("due_work", run_id=1, who="p2", **same))


def ended_with_due_work(history: History) -> History:
    return with_writes(
        history,
        lambda write: None if (write.source, write.op) == ("due_work", "D") else write,
    )


def ended_again(history: History) -> History:
    return with_more_writes(
        history, a_write("run", run_id=1, state="failed", old_state="succeeded")
    )


def claimed_without_an_epoch(history: History) -> History:
    return with_writes(
        history,
        lambda write: replace(write, epoch=0) if write.source == "due_work" else write,
    )


def journalled_after_the_end(history: History) -> History:
    late = a_write("step", "I", run_id=1, key="b", state="succeeded", epoch=1, who="p1")
    return with_more_writes(history, late)


def three_under_one_place(history: History) -> History:
    log = Log()
    log.life(1, key=KEY, place=1)
    log.life(2, key=KEY, place=2)
    kept = [write for write in log.writes if write.transaction not in {1004, 2004}]
    return replace(history, writes=kept)


def without_permits(history: History) -> History:
    return with_writes(history, lambda write: None if write.source == "permit" else write)


def permit_kept(history: History) -> History:
    return with_writes(
        history,
        lambda write: None if write.source == "permit" and write.run_id is None else write,
    )


def success_written_over(history: History) -> History:
    again = {"state": "succeeded", "old_state": "succeeded", "digest": "new", "old_digest": "out"}
    return with_more_writes(history, a_write("step", run_id=1, key="a", epoch=1, **again))


def called_twice(second: float, *, how: str | None, tool: str = "write") -> Spoil:
    """The first call ended so, the second one begins at that second."""

    def spoil(history: History) -> History:
        first = a_call("c0", 1, tool=tool, how=how, ended=at(12) if how else None)
        return replace(history, calls=[first, a_call("c1", 1, tool=tool, began=at(second))])

    return spoil


SPOILT: Sequence[tuple[str, Spoil]] = [
    (
        "each_slot_has_at_most_one_run",
        lambda h: replace(h, runs=[*h.runs, a_run(4, scheduled_for=at(10))]),
    ),
    ("each_slot_has_at_most_one_run", lambda h: replace(h, slots=[*h.slots, a_slot(1)])),
    ("each_slot_is_a_run_or_a_reason", lambda h: replace(h, slots=[a_slot(1)])),
    ("each_slot_is_a_run_or_a_reason", lambda h: replace(h, runs=[a_run(1), a_run(2)])),
    ("each_slot_is_a_run_or_a_reason", lambda h: replace(h, tasks=[a_task(next_run_at=at(50))])),
    ("each_slot_is_a_run_or_a_reason", lambda h: replace(h, runs=[*h.runs, a_skip(2)])),
    (
        "each_slot_is_a_run_or_a_reason",
        lambda h: replace(h, runs=[*h.runs[:2], a_skip(3, skipped_count=2)]),
    ),
    ("each_slot_is_a_run_or_a_reason", lambda h: replace(h, runs=[*h.runs, a_skip(3)])),
    (
        "each_slot_is_a_run_or_a_reason",
        lambda h: replace(h, runs=[*h.runs[:2], a_skip(3, reason=None)]),
    ),
    (
        "nothing_runs_that_is_no_slot",
        lambda h: replace(h, runs=[*h.runs, a_run(4, scheduled_for=at(15))]),
    ),
    (
        "every_promised_run_exists",
        lambda h: replace(h, orders=[Order(task_id=1, key="manual:lost", run_id=9)]),
    ),
    (
        "live_and_finished_are_what_was_materialised",
        lambda h: replace(h, samples=[Sample(at=at(1), materialised=3, live=1, finished=1)]),
    ),
    (
        "the_queue_and_the_history_agree",
        lambda h: replace(h, runs=[a_run(1, state="queued"), *h.runs[1:]]),
    ),
    ("the_queue_and_the_history_agree", lambda h: replace(h, live=[live(1, "waiting")])),
    ("the_queue_and_the_history_agree", lambda h: replace(h, slots=[a_slot(1)])),
    ("the_queue_and_the_history_agree", lambda h: replace(h, runs=h.runs[1:])),
    ("everything_has_ended_or_waits", lambda h: replace(h, live=[live(1)])),
    ("everything_came_about_in_time", lambda h: replace(h, late=["the queue is empty"])),
    ("epochs_only_grow", claimed_without_an_epoch),
    ("nothing_is_written_under_an_old_epoch", zombie_step),
    ("nothing_is_written_under_an_old_epoch", journalled_after_the_end),
    ("only_the_holder_writes", zombie_step),
    ("only_the_holder_writes", renewed_by_another),
    ("a_run_ends_with_its_due_work", ended_with_due_work),
    ("a_run_ends_with_its_due_work", ended_again),
    ("a_succeeded_step_never_changes", success_written_over),
    (
        "a_finished_run_leaves_no_step_open",
        lambda h: replace(h, steps=[a_step(1, state="running"), a_step(2)]),
    ),
    ("each_step_has_one_key", lambda h: replace(h, calls=[*h.calls, a_call("c3", 1, key="other")])),
    ("each_step_has_one_key", lambda h: replace(h, calls=[*h.calls, a_call("c3", 1, key=None)])),
    (
        "each_step_has_one_key",
        lambda h: replace(h, calls=[*h.calls, a_call("c3", 3, key="key-1/a")]),
    ),
    (
        "each_key_has_one_set_of_arguments",
        lambda h: replace(h, calls=[*h.calls, a_call("c3", 1, digest="other")]),
    ),
    ("each_success_is_of_a_call_of_its_own", lambda h: replace(h, calls=h.calls[:1])),
    (
        "each_success_is_of_a_call_of_its_own",
        lambda h: replace(h, calls=[a_call("c1", 1, how=None), a_call("c2", 2)]),
    ),
    (
        "nothing_is_called_after_its_success",
        lambda h: replace(h, calls=[*h.calls, a_call("c3", 1, began=at(13.5))]),
    ),
    ("each_call_has_an_intent", called_twice(12.5, how="ok")),
    ("what_must_not_be_repeated_is_not", called_twice(12.5, how="ok")),
    ("what_must_not_be_repeated_is_not", called_twice(12.5, how=None)),
    ("what_must_not_be_repeated_is_not", called_twice(11.5, how="failed")),
    ("no_more_run_at_once_than_allowed", three_under_one_place),
    ("who_runs_under_a_limit_holds_its_permit", without_permits),
    ("no_permit_is_kept_by_who_has_ended", permit_kept),
    ("the_outbox_counts_without_gap", lambda h: replace(h, events=[event(1, 2), h.events[1]])),
    ("the_outbox_counts_without_gap", lambda h: replace(h, events=[*h.events, event(3, 2)])),
    (
        "the_last_event_tells_how_a_run_ended",
        lambda h: replace(h, events=[event(1, 1, "run.failed"), h.events[1]]),
    ),
    ("the_last_event_tells_how_a_run_ended", lambda h: replace(h, events=h.events[1:])),
    (
        "every_event_is_published",
        lambda h: replace(h, events=[event(1, 1, is_published=False), h.events[1]]),
    ),
    ("every_event_is_published", lambda h: replace(h, entries=(h.entries or ())[1:2])),
    ("streams_keep_the_order_of_each_run", lambda h: replace(h, entries=[entry(2, 2)])),
    (
        "streams_keep_the_order_of_each_run",
        lambda h: replace(h, entries=[entry(2, 2), entry(1, 1), entry(2, 2)]),
    ),
    (
        "streams_keep_the_order_of_each_run",
        lambda h: replace(h, entries=[entry(1, 1), entry(2, 2, "ordinaut:events:2")]),
    ),
]


def test_a_history_in_which_all_is_well_has_no_violation() -> None:
    assert violations(good()) == {}


@pytest.mark.parametrize(
    ("name", "spoil"), SPOILT, ids=[f"{n}-{name}" for n, (name, _) in enumerate(SPOILT)]
)
def test_each_invariant_catches_the_history_made_for_it(name: str, spoil: Spoil) -> None:
    found = violations(spoil(good()))

    assert name in found
    assert all(sentence for sentence in found[name])


def test_every_invariant_has_a_history_that_it_catches() -> None:
    assert {name for name, _ in SPOILT} == {invariant.__name__ for invariant in INVARIANTS}


def test_whoever_asks_for_the_end_of_a_run_renews_no_lease() -> None:
    assert "only_the_holder_writes" not in violations(renewed_by_another(good(), "sooner"))


def test_without_a_relay_streams_are_not_judged() -> None:
    unpublished = [replace(event, is_published=False) for event in good().events]

    assert violations(replace(good(), entries=None, events=unpublished)) == {}


def test_a_failure_that_was_told_may_be_tried_again() -> None:
    assert violations(called_twice(12.5, how="failed")(good())).keys() == {
        "each_success_is_of_a_call_of_its_own",
        "each_call_has_an_intent",  # it is a second call on one intent here
    }


def test_a_tool_that_says_so_may_be_called_again_and_it_is_counted() -> None:
    spoilt = called_twice(12.5, how=None, tool="put")(good())

    assert "what_must_not_be_repeated_is_not" not in violations(spoilt)
    assert repeated(spoilt) == 1
    assert repeated(good()) == 0


def test_a_step_that_is_left_open_by_a_cancel_is_no_result_of_an_old_lease() -> None:
    cut = with_writes(
        good(), lambda write: None if (write.transaction, write.key) == (1003, "a") else write
    )
    steps = {"state": "unknown", "old_state": "running", "epoch": 1, "old_epoch": 1}
    log = Log()
    for _ in cut.writes:
        log.write(0, 0, "run", "U")
    left = log.write(14, 1004, "step", "U", run_id=1, key="a", who="p2", **steps)

    assert violations(replace(cut, writes=[*cut.writes, left])) == {}
