"""The leases of a process: what its event loop and its heartbeat's thread see of them."""

from __future__ import annotations

import time

import anyio
import pytest
from anyio import CancelScope

from ordinaut_mcp.domain.run import Lease, RunId
from ordinaut_mcp.runtime.leases import Leases
from tests.doubles.definitions import NOON

pytestmark = pytest.mark.anyio

LONG = 3600.0


def a_lease(run: int, epoch: int = 1) -> Lease:
    return Lease(run_id=RunId(run), created_at=NOON, epoch=epoch)


def test_a_lease_is_held_until_its_deadline_by_our_own_clock() -> None:
    leases, now = Leases(), time.monotonic()

    assert leases.take(a_lease(1), now + LONG).is_held()
    assert not leases.take(a_lease(2), now).is_held()


def test_what_is_dropped_is_held_no_longer_and_may_be_dropped_twice() -> None:
    leases = Leases()
    first, second = leases.take(a_lease(1), LONG), leases.take(a_lease(2), LONG)

    leases.drop([first.lease])
    leases.drop([first.lease])

    assert (leases.all(), len(leases)) == ([second], 1)


def test_all_leases_on_one_run_are_found() -> None:
    leases = Leases()
    former, newer = leases.take(a_lease(1, 1), LONG), leases.take(a_lease(1, 2), LONG)
    leases.take(a_lease(2), LONG)

    assert leases.of(RunId(1)) == [former, newer]


def test_only_what_was_asked_for_is_extended() -> None:
    leases, now = Leases(), time.monotonic()
    asked, lost, later = (leases.take(a_lease(run), now + 1) for run in (1, 2, 3))

    # One of them ended while the question was on its way.
    leases.extend([lost.lease], [asked.lease, lost.lease, a_lease(4)], now + LONG)

    assert (asked.deadline, lost.deadline, later.deadline) == (now + LONG, 0.0, now + 1)
    assert (asked.is_held(), lost.is_held()) == (True, False)
    assert len(leases) == 3


async def test_an_attempt_ends_with_its_lease_and_goes_on_with_one_that_is_extended() -> None:
    leases, now = Leases(), time.monotonic()
    kept, lost, computing = (leases.take(a_lease(run), now + LONG) for run in (1, 2, 3))
    kept.scope, lost.scope = CancelScope(deadline=now + 1), CancelScope(deadline=now + 1)

    leases.extend([lost.lease], [kept.lease, lost.lease, computing.lease], now + LONG)
    leases.heed()
    leases.heed()

    assert kept.scope.deadline == now + LONG
    assert (kept.scope.cancel_called, lost.scope.cancel_called) == (False, True)


async def test_a_lease_whose_attempt_has_nothing_to_wait_for_has_nothing_to_end() -> None:
    held = Leases().take(a_lease(1), time.monotonic() + LONG)

    held.end()

    with anyio.fail_after(5):
        await anyio.lowlevel.checkpoint()
    assert held.scope is None
    assert held.is_held()
