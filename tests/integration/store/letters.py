"""Looks into the database, and changes of it that no caller could bring about."""

from __future__ import annotations

from typing import Any

from psycopg.rows import tuple_row

from ordinaut_mcp.store.pool import Pool


async def look(pool: Pool, question: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """What a question to the database brings."""
    async with pool.connection() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(question.encode(), parameters)
        return await cursor.fetchall()


async def change(pool: Pool, statement: str, **parameters: Any) -> None:
    """Put the database into a state that no caller could bring about."""
    async with pool.connection() as connection:
        await connection.execute(statement.encode(), parameters)
