"""What a database is, for `doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg

from ordinaut_mcp.clock import utc_now
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.store.pool import CONNECT_SECONDS, unavailable

LOOK: Final[LiteralString] = "SELECT current_setting('server_version'), clock_timestamp()"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A database that answers."""

    version: str
    clock_skew_seconds: float


def diagnose(database_url: str) -> Diagnosis:
    """Ask the database what it is.

    Raises:
        Unavailable: it does not answer.
    """
    with (
        unavailable(),
        psycopg.connect(database_url, connect_timeout=CONNECT_SECONDS) as connection,
    ):
        found = connection.execute(LOOK).fetchone()
        if found is None:
            raise OrdinautError("The database gave no answer.")
        return Diagnosis(found[0].split()[0], (found[1] - utc_now()).total_seconds())
