"""Starting children: to their end, or detached so that they outlive us."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ordinaut_mcp.embedded.disk import explaining
from ordinaut_mcp.embedded.owner import Owner
from ordinaut_mcp.errors import Unavailable

SERVER_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
"""All that the servers inherit: nobody's PG* variables or preloaded libraries reach them."""


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    output: str


def run_to_end(
    command: Sequence[str],
    owner: Owner,
    *,
    seconds: float,
    text: str = "",
    environment: Mapping[str, str] = SERVER_ENVIRONMENT,
) -> Ended:
    """Run a command as `owner`; its exit code and all that it printed.

    Raises:
        Unavailable: it could not be started, or did not end within `seconds`.
    """
    ids = owner.ids
    try:
        ended = subprocess.run(  # noqa: S603 - our own binaries, no shell
            list(command),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=seconds,
            cwd="/",
            env=dict(environment),
            user=ids[0] if ids else None,
            group=ids[1] if ids else None,
            extra_groups=[] if ids else None,
            umask=0o077,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{Path(command[0]).name} did not end in {seconds:.0f} s") from error
    except OSError as error:
        raise _not_started(command, owner, error) from error
    return Ended(ended.returncode, ended.stdout)


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    owner: Owner | None = None,
    environment: Mapping[str, str] = SERVER_ENVIRONMENT,
    folder: Path = Path("/"),
    fresh_log: bool = False,
) -> int:
    """Start a command that outlives us, in a session of its own; its process id.

    It reads from /dev/null, prints to the end of `log` and inherits no other file of ours.

    Raises:
        Unavailable: it could not be started.
    """
    ids = owner.ids if owner else None
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if fresh_log else 0)
    with explaining(log), os.fdopen(os.open(log, flags, 0o600), "ab") as output:
        try:
            child = subprocess.Popen(  # noqa: S603 - our own binaries or our own interpreter
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=dict(environment),
                user=ids[0] if ids else None,
                group=ids[1] if ids else None,
                extra_groups=[] if ids else None,
                umask=0o077,
                start_new_session=True,
                close_fds=True,
            )
        except OSError as error:
            raise _not_started(command, owner, error) from error
    # Waiting for it keeps a dead one from staying behind as a zombie while we live.
    threading.Thread(target=child.wait, name=f"reap {child.pid}", daemon=True).start()
    return child.pid


def _not_started(command: Sequence[str], owner: Owner | None, error: OSError) -> Unavailable:
    name = Path(command[0]).name
    if owner is not None and owner.lent and error.errno in (errno.EPERM, errno.EINVAL):
        return Unavailable(
            f"{name} could not be started as the account {owner.name}: {error.strerror}",
            hint="Run as an ordinary user, or set ORDINAUT_DATABASE_URL and ORDINAUT_REDIS_URL.",
        )
    return Unavailable(f"{name} could not be started: {error.strerror}")
