"""Concurrency limits are exact: at every commit, not on the average."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.checker.replay import commits
from tests.chaos.history import History, Write

Key = str


@dataclass(slots=True)
class State:
    """What was committed so far: who runs under which key, and who holds which place."""

    running: dict[int, Write] = field(default_factory=dict[int, Write])
    permits: dict[tuple[Key, int], int | None] = field(
        default_factory=dict[tuple[Key, int], int | None]
    )

    def apply(self, writes: Sequence[Write]) -> None:
        """Take over what one transaction wrote."""
        for write in writes:
            if write.source == "due_work" and write.run_id is not None:
                if write.state == "running" and write.key is not None:
                    self.running[write.run_id] = write
                else:
                    self.running.pop(write.run_id, None)
            elif write.source == "permit" and write.key is not None and write.place is not None:
                self.permits[write.key, write.place] = write.run_id

    @property
    def holders(self) -> Mapping[int, Sequence[tuple[Key, int]]]:
        """The places that each run holds."""
        found = defaultdict[int, list[tuple[Key, int]]](list)
        for place, run in self.permits.items():
            if run is not None:
                found[run].append(place)
        return found


def no_more_run_at_once_than_allowed(history: History) -> Sequence[str]:
    """Counted by who runs, whatever the permits say."""
    wrong = list[str]()
    for writes, state in _states(history):
        running = Counter(write.key for write in state.running.values())
        for key, number in running.items():
            allowed = max(write.place or 0 for write in state.running.values() if write.key == key)
            if number > allowed:
                wrong.append(
                    f"after write {writes[-1].id}: {number} run under {key}, {allowed} may"
                )
    return wrong


def who_runs_under_a_limit_holds_its_permit(history: History) -> Sequence[str]:
    """One place of its key, among the first that it may choose from."""
    wrong = list[str]()
    for writes, state in _states(history):
        holders = state.holders
        for run, write in state.running.items():
            places = holders.get(run, ())
            fits = [
                place for key, place in places if key == write.key and place <= (write.place or 0)
            ]
            if len(places) != 1 or len(fits) != 1:
                wrong.append(
                    f"after write {writes[-1].id}: run {run} of {write.key} holds {places}"
                )
    return wrong


def no_permit_is_kept_by_who_has_ended(history: History) -> Sequence[str]:
    """At the end places are free, or held by who is still in the queue and does not wait."""
    state = State()
    for writes in commits(history):
        state.apply(writes)
    live = {row.run_id for row in history.live if row.state != "waiting"}
    return [
        f"run {run} holds {places} and has ended"
        for run, places in state.holders.items()
        if run not in live
    ]


def _states(history: History) -> Iterator[tuple[Sequence[Write], State]]:
    """The state after each commit that may have begun something."""
    state = State()
    for writes in commits(history):
        state.apply(writes)
        if any(_touches(write) for write in writes):
            yield writes, state


def _touches(write: Write) -> bool:
    if write.source == "permit":
        return True
    return write.source == "due_work" and write.key is not None and write.state == "running"
