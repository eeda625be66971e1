"""Databases of tests, made on the session's server and removed again."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql


def drop(admin: psycopg.Connection[Any], name: str) -> None:
    """Remove the database.

    Autovacuum may be at work in it, and only a superuser may end that. The whole server is
    thrown away at the end of the session, this database with it.
    """
    with suppress(psycopg.errors.InsufficientPrivilege):
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
