"""PostgreSQL's own client programs out of the wheel: `pg_dump` and `pg_restore`."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ordinaut_mcp.embedded.binaries import MAJOR, postgres_wheel
from ordinaut_mcp.embedded.owner import present_owner
from ordinaut_mcp.embedded.spawning import SERVER_ENVIRONMENT, Ended, run_to_end
from ordinaut_mcp.errors import NotAvailable

Program = Literal["pg_dump", "pg_restore"]

OLDER = 16
"""The wheel's other PostgreSQL. Since 17 the programs set what a server of 16 does not know."""
FOLDERS = {OLDER: "pginstall", MAJOR: f"pginstall{MAJOR}"}
AT_MOST_SECONDS = 24 * 3600.0


def run_client(
    program: Program,
    arguments: Sequence[str],
    *,
    server: int = MAJOR,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a client program that fits a server of this major version, as ourselves.

    `environment` comes on top of next to nothing: passwords travel in it, never in arguments,
    which everybody on the machine can read.

    Raises:
        NotAvailable: the server is newer than what comes along, or nothing does.
        Unavailable: it could not be started.
    """
    return run_to_end(
        [str(_found(program, server)), *arguments],
        present_owner(),
        seconds=AT_MOST_SECONDS,
        environment={**SERVER_ENVIRONMENT, **(environment or {})},
    )


def _found(program: Program, server: int) -> Path:
    if server > MAJOR:
        raise NotAvailable(
            f"The server is PostgreSQL {server}, and {program} {MAJOR} comes along, which is "
            "too old for it.",
            hint=f"Use the {program} of PostgreSQL {server} itself, for the schema `ordinaut`.",
        )
    wheel = postgres_wheel()
    fitting = [OLDER, MAJOR] if server <= OLDER else [MAJOR]
    for major in fitting:
        found = wheel / FOLDERS[major] / "bin" / program if wheel else None
        if found is not None and found.is_file():
            return found
    raise NotAvailable(
        f"no {program} comes along for {platform.system()} {platform.machine()}",
        hint="Use that of your PostgreSQL itself, for the schema `ordinaut`.",
    )
