"""What the campaign asks of the product: tasks of every kind, and runs ordered by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any, TypeVar

import anyio

from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.run import Run, RunState
from ordinaut_mcp.domain.task_request import NOT_YET
from ordinaut_mcp.errors import InvalidInput, NotAvailable, OrdinautError, Unavailable
from ordinaut_mcp.ports import RunFilter
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from tests.chaos.history import Order

T = TypeVar("T")
OWNERS = (Caller("ann"), Caller("bob"), Caller("cy"))
LIMITS_WORK = "concurrency_key" not in NOT_YET
AGAIN_AFTER = 0.3
CALM = {"slow": 0.2, "slow_seconds": 0.4}
WILD = {"slow": 0.3, "slow_seconds": 2.5, "fails": 0.15, "junk": 0.1}
DEADLY = {"slow": 0.2, "slow_seconds": 0.5, "dies": 0.02, "junk": 0.2}


def a_step(name: str, before: str | None, random: Random) -> dict[str, Any]:
    """A call of the ledger, or a value."""
    if random.random() < 0.15:
        return {"id": name, "uses": "value.set", "with": {"value": {"call": "${params.mark}"}}}
    server, mood = random.choices(
        [("ledger", CALM), ("ledger", WILD), ("fragile", DEADLY)], [5, 3, 1]
    )[0]
    tool = random.choices(["read", "put", "write"], [3, 4, 2])[0]
    arguments = {"run": "${run.id}", "step": name, "now": "${now}", "mood": mood}
    if before is not None:
        arguments["after"] = f"${{steps.{before}.call}}"
    step = {"id": name, "uses": f"{server}.{tool}", "with": arguments, "timeout_seconds": 2}
    if tool == "write" and random.random() < 0.7:
        step["on_unknown"] = random.choice(["fail", "ask"])
    return step


def a_pipeline(random: Random) -> list[dict[str, Any]]:
    """One to four steps, each of which is given what the one before it gave."""
    names = "abcd"[: random.randint(1, 4)]
    befores = [None, *names]
    return [a_step(name, before, random) for name, before in zip(names, befores, strict=False)]


def a_task(number: int, random: Random) -> dict[str, Any]:
    """The arguments of one task."""
    task: dict[str, Any] = {
        "title": f"Load {number}",
        "key": f"load-{number}",
        "schedule_expr": f"every {random.choice([1, 2, 2, 3, 5, 8])}s",
        "pipeline": a_pipeline(random),
        "params": {"mark": f"m{number}"},
        "overlap": random.choice(["skip", "skip", "queue", "allow", "cancel_running"]),
        "misfire": random.choice(["latest", "latest", "all", "skip"]),
        "priority": random.randint(1, 9),
        "max_retries": random.randint(0, 3),
        "backoff": {"strategy": "exponential_jitter", "base_seconds": 0.2, "max_seconds": 2},
    }
    if task["overlap"] in {"queue", "allow"}:
        task["schedule_expr"] = f"every {random.choice([4, 5, 8])}s"
        task["max_lateness_seconds"] = 30
    if LIMITS_WORK and number % 3 == 0:
        task |= {"concurrency_key": f"shared-{number % 2}", "max_concurrent": 2}
    elif LIMITS_WORK and number % 3 == 1:
        task |= {"max_concurrent": random.randint(1, 3)}
    return task


class Load:
    """Asks as callers would: again after `unavailable`, always with the same key."""

    def __init__(self, services: Services, random: Random, *, number: int, rate: float) -> None:
        self._services = services
        self._random = random
        self._number = number
        self._rate = rate
        self._tasks: list[tuple[Caller, str]] = []
        self.orders: list[Order] = []
        self.refused: list[str] = []
        self.canceled = 0

    def use(self, services: Services) -> None:
        """Ask through these from now on."""
        self._services = services

    async def begin(self) -> None:
        """Store the tasks; the first ones wait until the tool servers are known."""
        for number in range(self._number):
            owner = OWNERS[number % len(OWNERS)]
            await self._schedule(owner, a_task(number, self._random))

    async def go_on(self) -> None:
        """Order runs, and now and then a task for one moment, until cancelled."""
        for number in self._numbers():
            await anyio.sleep(self._random.expovariate(self._rate))
            owner, task = self._random.choice(self._tasks)
            if number % 10 == 0:
                once = {**a_task(number, self._random), "key": f"once-{number}"}
                await self._schedule(owner, _once(once, self._random))
            else:
                await self._order(owner, task, f"order-{number}")

    async def decide(self) -> None:
        """End what waits for a person, until cancelled."""
        while True:
            await anyio.sleep(1)
            for owner in OWNERS:
                await self.decide_of(owner)

    async def decide_of(self, owner: Caller) -> None:
        """Cancel the runs that wait for this owner."""
        wanted = RunFilter(state=RunState.WAITING)
        try:
            for run in await self._services.runs.list(owner, wanted):
                await self._services.runs.cancel(owner, f"run_{run.id}")
                self.canceled += 1
        except Unavailable:
            return

    def _numbers(self) -> Iterator[int]:
        number = 0
        while True:
            number += 1
            yield number

    async def _schedule(self, owner: Caller, task: Mapping[str, Any]) -> None:
        saved = await self._until_told(lambda: self._services.tasks.schedule(owner, task))
        if saved is not None:
            self._tasks.append((owner, saved.task.name))

    async def _order(self, owner: Caller, task: str, key: str) -> None:
        run: Run | None = await self._until_told(
            lambda: self._services.runs.run_now(
                owner, task, params={"mark": key}, key=key, wait=timedelta(0)
            )
        )
        if run is not None:
            self.orders.append(Order(task_id=run.task_id, key=f"manual:{key}", run_id=run.id))

    async def _until_told(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None when it was refused for a reason."""
        while True:
            try:
                return await ask()
            except (Unavailable, TimeoutError):
                await anyio.sleep(AGAIN_AFTER)
            except (InvalidInput, NotAvailable) as error:
                if not _is_unknown_yet(error):
                    self.refused.append(str(error))
                    return None
                await anyio.sleep(AGAIN_AFTER)
            except OrdinautError as error:
                self.refused.append(str(error))
                return None


def settings_of(home: Any) -> Settings:
    """The settings that the harness's own services run with."""
    return Settings(home=home, timezone="Europe/Chisinau")


def _once(task: Mapping[str, Any], random: Random) -> dict[str, Any]:
    return {**task, "schedule_expr": f"in {random.randint(1, 20)}s", "overlap": "skip"}


def _is_unknown_yet(error: OrdinautError) -> bool:
    return "tool" in error.code
