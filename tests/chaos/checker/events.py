"""Events of each run: told once, in order, published without gap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.history import EntrySeen, EventSeen, History

FINAL = ("succeeded", "failed", "canceled")


def the_outbox_counts_without_gap(history: History) -> Sequence[str]:
    """1, 2, 3 … for each run, in the order of their ids, and the run knows how many."""
    told = {run: [event.sequence for event in events] for run, events in _of_runs(history).items()}
    wrong = [
        f"run {run}: its events count {sequences}"
        for run, sequences in told.items()
        if sequences != list(range(1, len(sequences) + 1))
    ]
    live = {row.run_id: row.events for row in history.live}
    said = {run.id: live.get(run.id, run.events) for run in history.runs if run.state != "skipped"}
    return wrong + [
        f"run {run}: says {number} events, the outbox has {len(told.get(run, ()))}"
        for run, number in said.items()
        if number != len(told.get(run, ()))
    ]


def the_last_event_tells_how_a_run_ended(history: History) -> Sequence[str]:
    """Each finished run has told its end, last of all."""
    if not history.events:
        return ()
    told = _of_runs(history)
    return [
        f"run {run.id} is {run.state}, its last event is {last}"
        for run in history.runs
        if run.state in FINAL
        and (last := told[run.id][-1].topic if run.id in told else None) != f"run.{run.state}"
    ]


def every_event_is_published(history: History) -> Sequence[str]:
    """Nothing stays in the outbox, and what is marked as published is in a stream."""
    if history.entries is None:
        return ()
    there = {entry.event_id for entry in history.entries}
    return [
        *(
            f"event {event.id} was never published"
            for event in history.events
            if not event.is_published
        ),
        *(
            f"event {event.id} is marked as published and is in no stream"
            for event in history.events
            if event.is_published and event.id not in there
        ),
    ]


def streams_keep_the_order_of_each_run(history: History) -> Sequence[str]:
    """A reader that drops repeats sees 1, 2, 3 … of each run, in one stream."""
    if history.entries is None:
        return ()
    streams, seen = defaultdict[int, set[str]](set), defaultdict[int, list[int | None]](list)
    for entry in _first(history.entries):
        if entry.run_id is not None:
            streams[entry.run_id].add(entry.stream)
            seen[entry.run_id].append(entry.sequence)
    return [
        *(
            f"run {run}: its events are in {found}"
            for run, found in streams.items()
            if len(found) > 1
        ),
        *(
            f"run {run}: a reader sees {sequences}"
            for run, sequences in seen.items()
            if sequences != list(range(1, len(sequences) + 1))
        ),
    ]


def _of_runs(history: History) -> Mapping[int, Sequence[EventSeen]]:
    found = defaultdict[int, list[EventSeen]](list)
    for event in sorted(history.events, key=lambda event: event.id):
        if event.run_id is not None and event.sequence is not None:
            found[event.run_id].append(event)
    return found


def _first(entries: Sequence[EntrySeen]) -> Iterator[EntrySeen]:
    seen = set[int]()
    for entry in entries:
        if entry.event_id not in seen:
            seen.add(entry.event_id)
            yield entry
