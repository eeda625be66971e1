"""Runtime processes of the campaign: started, killed, stopped, and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import anyio
from anyio import to_thread

from ordinaut_mcp.app.process import ROLES
from tests.chaos.plant import ROOT, Plant

BUILT: Final[Sequence[str]] = tuple(role for role in list[str](ROLES) if role != "http")
"""The roles that there are already, without the one that needs a port."""
LOOK_EVERY = 0.1
END_WITHIN = 40.0


def roles_of(number: int) -> Sequence[str]:
    """Every role is there twice or more; only the first and the second make runs."""
    return [role for role in BUILT if number < 2 or role != "scheduler"]


class Place:
    """One place for a process; whoever dies in it has a successor."""

    def __init__(self, plant: Plant, number: int, lease_seconds: float) -> None:
        self._plant = plant
        self._lease_seconds = lease_seconds
        self.name = f"p{number}"
        self.roles: Sequence[str] = roles_of(number)
        self.starts = 0
        self.wanted = True
        self.exits: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def is_up(self) -> bool:
        """Whether somebody lives here."""
        return self._child is not None and self._child.poll() is None

    @property
    def log(self) -> str:
        """What all of them said."""
        path = self._plant.folder / f"{self.name}.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to who lives here now."""
        if self._child is not None and self._child.poll() is None:
            with suppress(ProcessLookupError):
                self._child.send_signal(number)

    async def keep(self) -> None:
        """Have somebody here for as long as that is wanted."""
        while self.wanted:
            if not self.is_up:
                self._note_exit()
                self._start()
            await anyio.sleep(LOOK_EVERY)

    async def leave(self) -> int:
        """SIGTERM, and the exit code; -9 when it would not go."""
        self.wanted = False
        self.tell(signal.SIGCONT)
        self.tell(signal.SIGTERM)
        with anyio.move_on_after(END_WITHIN):
            while self.is_up:  # noqa: ASYNC110 — another process sends no events
                await anyio.sleep(LOOK_EVERY)
        self.kill()
        return self._child.returncode if self._child is not None else 0

    def kill(self) -> None:
        """End whoever is left."""
        if self._child is not None:
            self.tell(signal.SIGKILL)
            self._child.wait(timeout=20)

    async def call(self, roles: Sequence[str]) -> None:
        """Have this place taken again, with these roles."""
        self.roles, self.wanted = roles, True
        await to_thread.run_sync(self._start)

    def _start(self) -> None:
        self.starts += 1
        who = f"{self.name}-{self.starts}"
        environment = self._plant.environment(self.name, who, self._lease_seconds)
        command = [sys.executable, "-m", "ordinaut_mcp", "runtime", "--roles", ",".join(self.roles)]
        with (self._plant.folder / f"{self.name}.log").open("ab") as stderr:
            self._child = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=stderr
            )

    def _note_exit(self) -> None:
        if self._child is not None:
            self.exits.append(self._child.returncode)
