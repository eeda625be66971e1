"""A tool server's process on POSIX: started under its guard, ended with all that it started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import anyio
from mcp.client.stdio import get_default_environment

from ordinaut_mcp.bridge.place import Place
from ordinaut_mcp.bridge.server_config import Limits, Local

GUARD: Final = Path(__file__).with_name("guard.py")

_AFTER_EOF_SECONDS: Final = 1.0
"""How long a server may take to end by itself once its stdin has closed."""
_AFTER_GUARD_SECONDS: Final = 7.0
"""Longer than the guard's own bound."""


class CannotStart(Exception):
    """The program cannot be started; the text says why, for a person."""


class Child:
    """One running tool server: pipes that never block, and an end that leaves nothing.

    The server gets the SDK's small default environment and what the tools file lists, and
    nothing else of ours. Its guard sets its limits before it begins.
    """

    def __init__(self, server: str, how: Local, place: Place) -> None:
        """Start it. Raises: CannotStart, NoPlace."""
        environment = get_default_environment() | dict(how.env)
        where = place.working_folder(server, how.cwd)
        folder = place.command_folder(how.cwd)
        program = program_of(how.command, folder=folder, environment=environment)
        ours, self._lifeline = os.pipe()
        guard = [sys.executable, "-I", "-S", str(GUARD), str(ours)]
        guard += ["=".join(environment), limits_of(how.limits)]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the tools file is trusted: U28
                [*guard, program, *how.args],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=where,
                env=environment,
                pass_fds=(ours,),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(self._lifeline)
            raise CannotStart(f"{how.command} cannot be started in {where}: {error}") from error
        finally:
            os.close(ours)
        self.stdin, self.stdout, self.stderr = map(_open, self._pipes())
        for pipe in (self.stdin, self.stdout, self.stderr):
            os.set_blocking(pipe, False)

    @property
    def exit_code(self) -> int | None:
        """The server's own exit code (128 + n after signal n), or None while it lives."""
        return self._process.poll()

    async def ended(self, within: float) -> bool:
        """Wait, by looking, until it has ended; false if that takes longer."""
        deadline = anyio.current_time() + within
        while self.exit_code is None and anyio.current_time() < deadline:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        return self.exit_code is not None

    async def end(self) -> None:
        """End it and whatever it started, within some 8 s; call it shielded."""
        self._pipes()[0].close()
        if not await self.ended(_AFTER_EOF_SECONDS):
            self._let_go()
            if not await self.ended(_AFTER_GUARD_SECONDS):
                self._process.kill()
                await self.ended(_AFTER_EOF_SECONDS)
        self._let_go()

    def close(self) -> None:
        """Give back the pipes, once nobody waits on them."""
        for pipe in self._pipes():
            with suppress(OSError):
                pipe.close()

    def _pipes(self) -> list[IO[bytes]]:
        process = self._process
        return [pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe]

    def _let_go(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def limits_of(limits: Limits) -> str:
    """For the guard: `DATA=2147483648,NOFILE=1024`, names as in setrlimit(2), sizes in bytes."""
    values = {
        "DATA": _bytes(limits.memory_mb),
        "AS": _bytes(limits.address_space_mb),
        "NPROC": limits.processes,
        "NOFILE": limits.files,
        "CPU": limits.cpu_seconds,
    }
    return ",".join(f"{name}={value}" for name, value in values.items() if value is not None)


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 1024 * 1024


def _open(pipe: IO[bytes]) -> int:
    return pipe.fileno()


def program_of(command: str, *, folder: Path, environment: Mapping[str, str]) -> str:
    """The whole path of a command: as it is, below `folder`, or found on the server's PATH.

    Raises: CannotStart.
    """
    search = environment.get("PATH", os.defpath)
    path = str(folder / command) if os.path.dirname(command) else command
    found = shutil.which(path, path=search)
    if found is None:
        where = f"in {folder}" if os.path.dirname(command) else "on the PATH of tool servers"
        raise CannotStart(f"there is no program {command!r} that can be run {where}")
    return os.path.abspath(found)
