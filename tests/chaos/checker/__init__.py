"""The offline checker: pure functions from a history to what is wrong with it, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tests.chaos.checker import calls, counts, events, fences, limits, slots, steps
from tests.chaos.history import History

Invariant = Callable[[History], Sequence[str]]

INVARIANTS: Final[Sequence[Invariant]] = (
    slots.each_slot_has_at_most_one_run,
    slots.each_slot_is_a_run_or_a_reason,
    slots.nothing_runs_that_is_no_slot,
    slots.every_promised_run_exists,
    counts.live_and_finished_are_what_was_materialised,
    counts.the_queue_and_the_history_agree,
    counts.everything_has_ended_or_waits,
    counts.everything_came_about_in_time,
    fences.epochs_only_grow,
    fences.nothing_is_written_under_an_old_epoch,
    fences.only_the_holder_writes,
    fences.a_run_ends_with_its_due_work,
    steps.a_succeeded_step_never_changes,
    steps.a_finished_run_leaves_no_step_open,
    calls.each_step_has_one_key,
    calls.each_key_has_one_set_of_arguments,
    calls.each_success_is_of_a_call_of_its_own,
    calls.nothing_is_called_after_its_success,
    calls.each_call_has_an_intent,
    calls.what_must_not_be_repeated_is_not,
    limits.no_more_run_at_once_than_allowed,
    limits.who_runs_under_a_limit_holds_its_permit,
    limits.no_permit_is_kept_by_who_has_ended,
    events.the_outbox_counts_without_gap,
    events.the_last_event_tells_how_a_run_ended,
    events.every_event_is_published,
    events.streams_keep_the_order_of_each_run,
)


def violations(history: History) -> dict[str, Sequence[str]]:
    """What is wrong, by the name of the invariant; empty when all hold."""
    found = {invariant.__name__: invariant(history) for invariant in INVARIANTS}
    return {name: told for name, told in found.items() if told}
