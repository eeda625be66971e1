"""A campaign in words: numbers when it went well, and all that one needs to read when not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.campaign import Campaign
from tests.chaos.checker.calls import repeated
from tests.chaos.checker.replay import in_order
from tests.chaos.history import Call, Write

SHOWN = 15
LIVES = 3
NAMED = re.compile(r"\brun ([0-9]+)")


def told(campaign: Campaign, found: Mapping[str, Sequence[str]]) -> str:
    """A few lines; with violations, also every deed with its instant."""
    return "\n".join(
        [
            *_numbers(campaign),
            *_violations(found),
            *_deeds(campaign, found),
            *_lives(campaign, found),
        ]
    )


def _numbers(campaign: Campaign) -> Iterator[str]:
    history, wild = campaign.history, campaign.wildness
    states = Counter(run.state for run in history.runs)
    deeds = Counter(" ".join(deed.what.split()[:2]) for deed in campaign.nemesis.deeds)
    exits = Counter(code for place in campaign.places for code in place.exits)
    yield f"seed {wild.seed}, {wild.seconds:g} s of nemesis"
    yield f"tasks: {len(history.tasks)}; runs and skips: {dict(states)}"
    yield f"attempts: {sum(run.attempt for run in history.runs)}; steps: {len(history.steps)}"
    yield f"tool calls: {len(history.calls)}, of which repeated: {repeated(history)}"
    yield f"orders kept: {len(history.orders)}; samples: {len(history.samples)}"
    yield f"events: {len(history.events)}; entries in streams: {len(history.entries or ())}"
    yield f"writes in the log: {len(history.writes)}"
    yield f"deeds: {dict(deeds)}"
    starts = sum(place.starts for place in campaign.places)
    yield f"processes started: {starts}, exits {dict(exits)}"
    yield from campaign.remarks


def _violations(found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for name, sentences in found.items():
        yield f"VIOLATED {name}: {len(sentences)}"
        yield from (f"    {sentence}" for sentence in sentences[:SHOWN])


def _deeds(campaign: Campaign, found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    if found:
        yield "what was done:"
        yield from (f"    {deed}" for deed in campaign.nemesis.deeds)


def _lives(campaign: Campaign, found: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """All that is known of the first runs that a violation names."""
    sentences = (sentence for told in found.values() for sentence in told)
    named = dict.fromkeys(int(run) for one in sentences for run in NAMED.findall(one))
    for run in list(named)[:LIVES]:
        history = campaign.history
        yield from (f"{one}" for one in history.runs if one.id == run)
        lines = [(one.at, _line(one)) for one in in_order(history) if one.run_id == run]
        lines += [(one.began, _called(one)) for one in history.calls if one.run_id == run]
        yield from (f"    {at:%H:%M:%S.%f} {line}" for at, line in sorted(lines))


def _line(write: Write) -> str:
    where = f"{write.id}/{write.transaction} {write.op} {write.source} {write.key or ''}"
    states = f"{write.old_state} -> {write.state}, epoch {write.old_epoch} -> {write.epoch}"
    return f"{where} {states}, held by process {write.process_id}, written by {write.who}"


def _called(call: Call) -> str:
    return f"call {call.step} {call.tool}: {call.how}, ended {call.ended}"
