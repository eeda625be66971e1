"""What the tool servers saw: at least once, always with the same key."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from tests.chaos.history import Call, History, Write

REPEATABLE: Final = frozenset({"read", "put"})
"""The tools of the ledger that say of themselves that they may be called again."""
SERVERS: Final = ("ledger.", "fragile.")


def repeated(history: History) -> int:
    """How many calls were not the first with their key."""
    return sum(number - 1 for number in Counter(call.key for call in history.calls).values())


def each_step_has_one_key(history: History) -> Sequence[str]:
    """A key for each (run, step), the same for ever, and no other's."""
    keys = defaultdict[tuple[int, str], set[str | None]](set)
    owners = defaultdict[str | None, set[tuple[int, str]]](set)
    for call in history.calls:
        keys[call.run_id, call.step].add(call.key)
        owners[call.key].add((call.run_id, call.step))
    return [
        *(f"{place} was called without a key" for place, found in keys.items() if None in found),
        *(
            f"{place} was called with the keys {found}"
            for place, found in keys.items()
            if len(found) > 1
        ),
        *(f"the key {key} was given to {found}" for key, found in owners.items() if len(found) > 1),
    ]


def each_key_has_one_set_of_arguments(history: History) -> Sequence[str]:
    """Whoever calls again says the same."""
    digests = defaultdict[str | None, set[str]](set)
    for call in history.calls:
        digests[call.key].add(call.digest)
    return [
        f"the key {key} came with {len(found)} different sets of arguments"
        for key, found in digests.items()
        if len(found) > 1
    ]


def each_success_is_of_a_call_of_its_own(history: History) -> Sequence[str]:
    """A journalled output is what a call of that very step has answered."""
    answered = {(call.run_id, call.step, call.id) for call in history.calls if call.how == "ok"}
    return [
        f"run {step.run_id}, step {step.path}: call {step.call} did not answer what it has"
        for step in history.steps
        if step.state == "succeeded"
        and step.uses.startswith(SERVERS)
        and (step.run_id, step.path, step.call) not in answered
    ]


def nothing_is_called_after_its_success(history: History) -> Sequence[str]:
    """A resume reads a succeeded step back and does not call it.

    A worker that was stopped between its intent and the sending of its call sends it when it is
    continued, with the same key: no check in a process can prevent that. Each such call has an
    intent of its own, whose lease was taken over before the success.
    """
    successes = _successes(history)
    intents = _intents(history)
    late = defaultdict[tuple[int, str], list[Call]](list)
    for call in history.calls:
        success = successes.get((call.run_id, call.step))
        if success is not None and call.began > success.at:
            late[call.run_id, call.step].append(call)
    return [
        f"run {place[0]}, step {place[1]}: called {calls[-1].began - successes[place].at} after its"
        " success, and not by an intent that was taken over"
        for place, calls in late.items()
        if len(calls) > sum(epoch < (successes[place].epoch or 0) for epoch in intents[place])
    ]


def each_call_has_an_intent(history: History) -> Sequence[str]:
    """Nothing is sent that was not journalled before."""
    intents = _intents(history)
    numbers = Counter((call.run_id, call.step) for call in history.calls)
    return [
        f"run {place[0]}, step {place[1]}: {number} calls and {len(intents[place])} intents"
        for place, number in numbers.items()
        if number > len(intents[place])
    ]


def what_must_not_be_repeated_is_not(history: History) -> Sequence[str]:
    """Where the tool says nothing of repeating, only a failure that it told is tried again."""
    by_key = defaultdict[str | None, list[Call]](list)
    for call in history.calls:
        if call.tool not in REPEATABLE:
            by_key[call.key].append(call)
    return [
        f"run {one.run_id}, step {one.step}: called again while its outcome was not a failure"
        for calls in by_key.values()
        for one, two in _neighbours(calls)
        if one.how != "failed" or one.ended is None or one.ended > two.began
    ]


def _neighbours(calls: Sequence[Call]) -> Sequence[tuple[Call, Call]]:
    ordered = sorted(calls, key=lambda call: call.began)
    return list(pairwise(ordered))


def _successes(history: History) -> Mapping[tuple[int, str], Write]:
    return {
        (write.run_id or 0, write.key or ""): write
        for write in history.writes
        if write.source == "step" and write.state == "succeeded" and write.old_state != "succeeded"
    }


def _intents(history: History) -> Mapping[tuple[int, str], Sequence[int]]:
    """The epochs of the intents of each step."""
    epochs = defaultdict[tuple[int, str], list[int]](list)
    for write in history.writes:
        if write.source == "step" and write.state == "running":
            epochs[write.run_id or 0, write.key or ""].append(write.epoch or 0)
    return epochs
