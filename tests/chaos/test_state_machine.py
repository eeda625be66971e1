"""Any order of what can happen to the queue, on PostgreSQL with a now that Hypothesis moves.

After each step the promises hold; at the end everything that was made can be brought to its end.
ORDINAUT_RANDOM_EXAMPLES and ORDINAUT_RANDOM_STEPS ask for more than the few of every day.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString, TypeVar

import anyio
import psycopg
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import DictRow, dict_row

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.redrive import AtOnce, Redrive, Repeat, Sending, Standing
from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Failed,
    JournalEntry,
    Lease,
    Outcome,
    Parked,
    ProcessId,
    RunId,
    RunState,
    Settlement,
    StepState,
    Succeeded,
)
from ordinaut_mcp.errors import Conflict
from ordinaut_mcp.store.pool import Pool, new_pool
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.redrive import PostgresRedrives
from tests.chaos.promises import BROKEN, CLAIMABLE, CLEAN, HALTED, LIVE, STEPS
from tests.contract.asking import LEASE, WRONG, a_step, done
from tests.contract.test_queue_batches import ENDS, line
from tests.contract.worlds import PostgresWorld

T = TypeVar("T")
Asking = psycopg.Connection[DictRow]
Wish = dict[str, Any]

IS_LONG: Final = "ORDINAUT_RANDOM_EXAMPLES" in os.environ
EXAMPLES: Final = int(os.environ.get("ORDINAUT_RANDOM_EXAMPLES", "30"))
STEPS_AT_MOST: Final = int(os.environ.get("ORDINAUT_RANDOM_STEPS", "40"))
PROCESSES: Final = [ProcessId(1), ProcessId(2), ProcessId(3)]
LIMITS: Final = [
    None,
    Limit(key="key:one", places=1),
    Limit(key="key:some", places=1),
    Limit(key="key:some", places=3),
]
BIG: Final = 200
# The newest first: 0 is the last one that was given or made.
picks_one = st.one_of(st.integers(0, 4), st.integers(0, 40))
picks_some = st.lists(picks_one, min_size=1, max_size=5)
SERIAL_UNDER_LIMITS: Final = False
"""To be true once tests/contract/test_queue_limits.py expects no deadlock any more."""
wishes: st.SearchStrategy[Wish] = st.fixed_dictionaries(
    {
        "task": st.integers(1, 3),
        "owner": st.sampled_from(["local", "local", "eve"]),
        "priority": st.integers(1, 9),
        "limit": st.sampled_from(LIMITS),
        "due_in": st.sampled_from([timedelta(0)] * 3 + [timedelta(seconds=40)]),
        "serial": st.sampled_from([False, False, True]),
    }
)
some_ends: st.SearchStrategy[list[Outcome]] = st.lists(
    st.sampled_from([end for end, _ in ENDS]), min_size=5, max_size=5
)


def onward(standing: Standing) -> Sending:
    """What may be sent on, anew from the first step where it failed, was ended or waits."""
    match standing.state:
        case RunState.FAILED | RunState.CANCELED:
            return Redrive(0, None)
        case RunState.WAITING if standing.run_id % 2:
            return Repeat(None)
        case RunState.RETRYING if standing.run_id % 2:
            return AtOnce()
        case RunState.WAITING | RunState.RETRYING:
            return Redrive(0, None)
        case _:
            raise Conflict("It is on its way, or over for good.")


class QueueMachine(RuleBasedStateMachine):
    """A queue, several processes, and everybody who meddles."""

    def __init__(self, portal: BlockingPortal, pool: Pool, asking: Asking) -> None:
        super().__init__()
        self.portal, self.asking = portal, asking
        self.world = PostgresWorld(pool)
        self.queues = {process: PostgresQueue(pool) for process in PROCESSES}
        self.made: dict[RunId, str] = {}
        self.given: list[tuple[ProcessId, Lease]] = []
        """Every lease that was ever given, the former ones, too."""
        self.newest: dict[RunId, int] = {}
        self.succeeded: dict[tuple[RunId, str], Any] = {}
        self.ask(CLEAN)

    def do(self, doing: Callable[..., Awaitable[T]], *args: object, **more: object) -> T:
        """Wait for it, in the thread of the event loop."""

        async def bounded() -> T:
            with anyio.fail_after(20):
                return await doing(*args, **more)

        return self.portal.call(bounded)

    def ask(self, question: LiteralString) -> list[dict[str, Any]]:
        """What the database answers."""
        found = self.asking.execute(question)
        return found.fetchall() if found.description else []

    def held(self) -> set[tuple[int, int]]:
        """The leases that hold, by run and epoch."""
        live = self.ask(LIVE)
        return {(one["run_id"], one["epoch"]) for one in live if one["state"] == "running"}

    @initialize(wanted=st.lists(wishes, min_size=6, max_size=10))
    def begin_with(self, wanted: list[Wish]) -> None:
        self.order(wanted)

    @rule(wanted=st.lists(wishes, min_size=1, max_size=4))
    def order_more(self, wanted: list[Wish]) -> None:
        self.order(wanted)

    def order(self, wanted: list[Wish]) -> None:
        for asked in wanted:
            is_serial = asked["serial"] and (SERIAL_UNDER_LIMITS or asked["limit"] is None)
            wish: Wish = {**asked, "serial": is_serial}
            self.made[self.do(self.world.add, **wish)] = wish["owner"]

    @rule(process=st.sampled_from(PROCESSES), limit=st.integers(1, 6))
    def claim(self, process: ProcessId, limit: int) -> None:
        found = self.do(self.queues[process].claim, process, limit=limit, lease_for=LEASE)

        assert len(found) <= limit
        self.take(process, found)
        if not found:
            assert self.ask(CLAIMABLE) == []

    @rule(limit=st.integers(1, 6))
    def claim_at_once(self, limit: int) -> None:
        got: list[tuple[ProcessId, ClaimedRun]] = []

        async def claim(process: ProcessId) -> None:
            queue = self.queues[process]
            found = await queue.claim(process, limit=limit, lease_for=LEASE)
            got.extend((process, run) for run in found)

        async def all_claim() -> None:
            async with anyio.create_task_group() as together:
                for process in PROCESSES:
                    together.start_soon(claim, process)

        self.do(all_claim)
        runs = [run.lease.run_id for _, run in got]
        assert len(runs) == len(set(runs))
        for process, run in got:
            self.take(process, [run])

    @rule(process=st.sampled_from(PROCESSES), limit=st.integers(2, 5), ends=some_ends)
    def attempt(self, process: ProcessId, limit: int, ends: list[Outcome]) -> None:
        """Without this one Hypothesis, which leaves rules out at random, would rarely get far."""
        self.claim(process, limit)
        self.end(self.leases(range(limit)), ends)

    @rule(process=st.sampled_from(PROCESSES), decided=st.sampled_from(["wait", "rest", "end"]))
    def halt_and_send_on(self, process: ProcessId, decided: str) -> None:
        ends = {"wait": Parked(WRONG), "rest": Failed(WRONG, 60.0), "end": Failed(WRONG)}
        self.claim(process, 2)
        if self.given:
            lease = self.given[-1][1]
            self.end({lease}, [ends[decided]])
            self.send(lease.run_id)

    def take(self, process: ProcessId, found: Sequence[ClaimedRun]) -> None:
        for run in found:
            assert run.lease.epoch > self.newest.get(run.lease.run_id, 0)
            self.newest[run.lease.run_id] = run.lease.epoch
            self.given.append((process, run.lease))
            journalled = {
                (run.lease.run_id, step.path): step.output
                for step in run.journal.values()
                if step.state is StepState.SUCCEEDED
            }
            known = {at: out for at, out in self.succeeded.items() if at[0] == run.lease.run_id}
            assert journalled == known

    @precondition(lambda self: self.given)
    @rule(picks=picks_some, path=st.sampled_from("abc"))
    def begin(self, picks: list[int], path: str) -> None:
        self.journal(picks, [line(a_step(path=path))])

    @precondition(lambda self: self.given)
    @rule(picks=picks_some, path=st.sampled_from("abc"), out=st.integers(0, 99))
    def finish(self, picks: list[int], path: str, out: int) -> None:
        for lease in self.journal(picks, [line(done(out, path))]):
            self.succeeded.setdefault((lease.run_id, path), out)

    def journal(self, picks: list[int], lines: Any) -> set[Lease]:
        leases, held = self.leases(picks), self.held()
        queue = self.queues[PROCESSES[0]]
        lost = self.do(queue.journal, [JournalEntry(lease, lines) for lease in leases])
        kept = {lease for lease in leases if (lease.run_id, lease.epoch) in held}
        assert lost == leases - kept
        return kept

    @precondition(lambda self: self.given)
    @rule(picks=picks_some, ends=some_ends)
    def settle(self, picks: list[int], ends: list[Outcome]) -> None:
        self.end(self.leases(picks), ends)

    def end(self, leases: set[Lease], ends: list[Outcome]) -> None:
        held = self.held()
        batch = [
            Settlement(lease, end, [line(done(lease.epoch, "z"))])
            for lease, end in zip(sorted(leases, key=lambda one: one.epoch), ends, strict=False)
        ]
        lost = self.do(self.queues[PROCESSES[0]].settle, batch)
        kept = {lease for lease in leases if (lease.run_id, lease.epoch) in held}
        assert lost == leases - kept
        for lease in kept:
            self.succeeded.setdefault((lease.run_id, "z"), lease.epoch)

    def leases(self, picks: Iterable[int]) -> set[Lease]:
        """Some that were given, newer ones rather than older ones."""
        if not self.given:
            return set()
        return {self.given[-1 - pick % len(self.given)][1] for pick in picks}

    @rule(process=st.sampled_from(PROCESSES))
    def beat(self, process: ProcessId) -> None:
        leases, held = [lease for by, lease in self.given if by == process], self.held()

        lost = self.world.keeper.beat(process, leases, lease_for=LEASE)

        assert lost == {lease for lease in leases if (lease.run_id, lease.epoch) not in held}

    @rule(seconds=st.sampled_from([1, 10, 31, 31, 600]))
    def move(self, seconds: int) -> None:
        self.do(self.world.move, timedelta(seconds=seconds))

    @rule(crashes=st.integers(1, 3), gone=st.sets(st.sampled_from(PROCESSES), max_size=1))
    def reap(self, crashes: int, gone: set[ProcessId]) -> None:
        self.do(self.queues[PROCESSES[0]].reap, crashes_allowed=crashes, gone=gone)

    @precondition(lambda self: self.made)
    @rule(pick=picks_one)
    def cancel(self, pick: int) -> None:
        run = self.run_of(pick)
        self.do(self.world.cancels.cancel, self.made[run], run, reason="asked")

    @precondition(lambda self: self.made)
    @rule(pick=picks_one, is_likely=st.sampled_from([True, True, False]))
    def send_on(self, pick: int, *, is_likely: bool) -> None:
        halted = [one["id"] for one in self.ask(HALTED)] if is_likely else []
        self.send(halted[-1 - pick % len(halted)] if halted else self.run_of(pick))

    def send(self, run: RunId) -> None:
        redrives = PostgresRedrives(self.world.pool)
        try:
            sent = self.do(redrives.send, self.made[run], run, decide=onward)
        except Conflict:
            return
        if isinstance(sent, Redrive):
            self.succeeded = {at: out for at, out in self.succeeded.items() if at[0] != run}

    def run_of(self, pick: int) -> RunId:
        return list(self.made)[-1 - pick % len(self.made)]

    @rule(process=st.sampled_from(PROCESSES))
    def look_for_work_while_all_is_paused(self, process: ProcessId) -> None:
        self.do(self.world.pause)
        assert self.do(self.queues[process].claim, process, limit=BIG, lease_for=LEASE) == ()
        self.do(self.world.resume)

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert self.ask(BROKEN) == []

    @invariant()
    def what_was_made_is_live_or_finished_and_what_succeeded_stays(self) -> None:
        assert {one["run_id"] for one in self.ask(LIVE)} <= set(self.made)
        known = {(one["run_id"], one["path"]): one["output"] for one in self.ask(STEPS)}
        assert known == self.succeeded

    def teardown(self) -> None:
        """Everything comes to its end, once nobody meddles any more."""
        for one in self.ask(LIVE):
            if one["state"] == "waiting":
                run = RunId(one["run_id"])
                self.do(self.world.cancels.cancel, self.made[run], run, reason="asked")
        queue = self.queues[PROCESSES[0]]
        for _ in range(10 * len(self.made) + 3):
            self.do(self.world.move, timedelta(hours=1))
            self.do(queue.reap, crashes_allowed=100)
            found = self.do(queue.claim, PROCESSES[0], limit=BIG, lease_for=LEASE)
            if not found and self.ask(LIVE) == []:
                break
            self.do(queue.settle, [Settlement(run.lease, Succeeded(1)) for run in found])
        self.every_promise_is_kept()
        assert self.ask(LIVE) == []
        self.world.keeper.close()


@pytest.fixture
def loop() -> Generator[BlockingPortal, None, None]:
    with start_blocking_portal() as portal:
        yield portal


def test_whatever_happens_in_whatever_order_the_promises_hold(
    loop: BlockingPortal, database: str
) -> None:
    with (
        loop.wrap_async_context_manager(new_pool(database, largest=4)) as pool,
        Asking.connect(database, autocommit=True, row_factory=dict_row) as asking,
    ):

        class Machine(QueueMachine):
            def __init__(self) -> None:
                super().__init__(loop, pool, asking)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS_AT_MOST,
                deadline=None,
                database=None,
                derandomize=not IS_LONG,
                phases=[Phase.generate, Phase.shrink] if IS_LONG else [Phase.generate],
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
