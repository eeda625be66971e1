"""What an attempt writes, when, and what it does once its lease has ended."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from ordinaut_mcp.domain.run import JournalEntry, Lease, RunState, StepState, Succeeded
from ordinaut_mcp.domain.tool import Returned
from ordinaut_mcp.runtime.persistence import LeaseLost
from tests.unit.runtime.bench import Bench, a_call, a_set

pytestmark = pytest.mark.anyio

RUNNING, SUCCEEDED, SKIPPED = StepState.RUNNING, StepState.SUCCEEDED, StepState.SKIPPED


def written(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, StepState]]]:
    """What each write of the journal has, in order."""
    writes: list[list[tuple[str, StepState]]] = []
    real = bench.queue.journal

    async def journal(entries: Sequence[JournalEntry]) -> set[Lease]:
        lines = [line.record for entry in entries for line in entry.lines]
        writes.append([(record.path, record.state) for record in lines])
        return await real(entries)

    monkeypatch.setattr(bench.queue, "journal", journal)
    bench.rebuild()
    return writes


async def test_what_was_computed_is_written_with_the_next_intent_in_one_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench(
        a_set("a", 1),
        a_set("b", 2, **{"if": "false"}),
        a_call("c"),
        a_set("d", 3),
        a_call("e"),
        a_set("f", 4),
    )
    bench.tools.on("echo.say", Returned(1))
    writes = written(bench, monkeypatch)

    await bench.output()

    assert writes == [
        [("a", SUCCEEDED), ("b", SKIPPED), ("c", RUNNING)],
        [("c", SUCCEEDED), ("d", SUCCEEDED), ("e", RUNNING)],
    ]
    # The rest went with the settlement.
    assert {step.state for path, step in bench.work.journal.items() if path != "b"} == {SUCCEEDED}


async def test_the_intent_is_in_the_journal_before_the_call_is_made() -> None:
    bench = Bench(a_call("a", **{"with": {"n": 1}}))
    seen: list[tuple[StepState, object]] = []

    def look(_: object) -> Returned:
        seen.append((bench.step("a").state, bench.step("a").input))
        return Returned(1)

    bench.tools.on("echo.say", look)

    await bench.output()

    assert seen == [(RUNNING, {"n": 1})]


async def test_an_attempt_whose_lease_ended_by_its_own_clock_makes_no_call() -> None:
    bench = Bench(a_set("a", 1), a_call("b"))
    bench.tools.on("echo.say", Returned(1))
    claimed = await bench.claim()

    with pytest.raises(LeaseLost):
        await bench.carry_out(claimed, is_held=lambda: False)

    # The database would have let it: it took the intent.
    assert bench.work.state is RunState.RUNNING
    assert bench.step("b").state is RUNNING
    assert bench.called == []


async def test_a_lease_that_ends_while_the_intent_is_written_is_enough() -> None:
    bench = Bench(a_call("a"), a_call("b"))
    bench.tools.on("echo.say", Returned(1))
    claimed = await bench.claim()

    with pytest.raises(LeaseLost):
        await bench.carry_out(claimed, is_held=lambda: bench.queue.calls.count("journal") < 2)

    assert len(bench.tools.calls) == 1
    assert bench.step("b").state is RUNNING


async def test_what_a_cancelled_write_was_to_have_is_in_the_settlement() -> None:
    bench = Bench(a_set("a", 1), a_call("b"))
    claimed = await bench.claim()
    attempt = bench.executor.begin(claimed, lambda: True)
    bench.queue.is_away = True

    with anyio.move_on_after(0.02) as scope:
        await attempt.carry_out()

    assert scope.cancelled_caught
    assert [(line.record.path, line.record.state) for line in attempt.lines] == [("a", SUCCEEDED)]


async def test_the_outcome_of_what_only_computes_is_known_without_waiting() -> None:
    bench = Bench(a_set("a", 1, **{"if": "params.n > 3"}), a_set("b", 2), params={"n": 1})
    attempt = bench.executor.begin(await bench.claim(), lambda: True)

    assert attempt.compute() == Succeeded(2)
    assert [(line.record.path, line.record.state) for line in attempt.lines] == [
        ("a", SKIPPED),
        ("b", SUCCEEDED),
    ]


async def test_what_cannot_be_read_says_so_whichever_way_it_is_asked() -> None:
    bench = Bench(a_set("a", 1))
    bench.work.definition = {"pipeline": 7}
    attempt = bench.executor.begin(await bench.claim(), lambda: True)

    assert attempt.compute() == await attempt.carry_out()
    assert attempt.lines == []
