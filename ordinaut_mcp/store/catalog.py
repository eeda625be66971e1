"""The catalog in PostgreSQL: what tool servers offer, as the runtime found it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolHints, ToolSpec
from ordinaut_mcp.store.pool import Pool, connected, rows, transaction

SAVE_SERVER: Final[LiteralString] = """
    INSERT INTO ordinaut.tool_server AS s (name, state, error, found_by)
    VALUES (%(server)s, %(state)s, %(error)s, %(found_by)s)
    ON CONFLICT (name) DO UPDATE
    SET state = excluded.state, error = excluded.error, found_by = excluded.found_by,
        changed_at = ordinaut.now()
"""
DROP_TOOLS: Final[LiteralString] = """
    DELETE FROM ordinaut.tool WHERE server = %(server)s AND NOT (name = ANY (%(names)s))
"""
SAVE_TOOL: Final[LiteralString] = """
    INSERT INTO ordinaut.tool (server, name, description, input_schema, output_schema, hints,
                               digest)
    VALUES (%(server)s, %(name)s, %(description)s, %(input_schema)s, %(output_schema)s, %(hints)s,
            %(digest)s)
    ON CONFLICT (server, name) DO UPDATE
    SET description = excluded.description, input_schema = excluded.input_schema,
        output_schema = excluded.output_schema, hints = excluded.hints, digest = excluded.digest
"""
KEEP_ONLY: Final[LiteralString] = """
    DELETE FROM ordinaut.tool_server WHERE NOT (name = ANY (%(servers)s))
"""
# What a process that is gone was still starting is nobody's any more: whoever waits for it would
# wait in vain.
SERVERS: Final[LiteralString] = """
    SELECT s.name,
           CASE WHEN s.state = 'starting' AND p.id IS NULL THEN 'failed' ELSE s.state END AS state,
           CASE WHEN s.state = 'starting' AND p.id IS NULL
                THEN 'the runtime that was starting it is gone' ELSE s.error END AS error
    FROM ordinaut.tool_server s
    LEFT JOIN ordinaut.process p
      ON p.id = s.found_by AND p.stopped_at IS NULL
         AND p.heartbeat_at > ordinaut.now() - interval '30 seconds'
    ORDER BY s.name
"""
TOOLS: Final[LiteralString] = "SELECT * FROM ordinaut.tool ORDER BY server, name"


class PostgresCatalog:
    """The `CatalogStore` port over PostgreSQL."""

    def __init__(self, pool: Pool, *, found_by: ProcessId | None = None) -> None:
        self._pool = pool
        self._found_by = found_by

    async def save(self, status: ServerStatus, tools: Sequence[ToolSpec]) -> None:
        """Replace what is known of one server.

        A server that is not ready keeps the tools it had: tasks that use them stay checkable.
        """
        async with transaction(self._pool) as connection:
            server = {
                "server": status.server,
                "state": status.state,
                "error": status.error,
                "found_by": self._found_by,
            }
            await connection.execute(SAVE_SERVER, server)
            if status.state is ServerState.READY:
                names = [tool.name for tool in tools]
                await connection.execute(DROP_TOOLS, {"server": status.server, "names": names})
                for tool in tools:
                    await connection.execute(SAVE_TOOL, _fields(tool))

    async def keep_only(self, servers: Sequence[str]) -> None:
        """Forget servers that the tools file no longer names."""
        async with connected(self._pool) as connection:
            await connection.execute(KEEP_ONLY, {"servers": list(servers)})

    async def load(self) -> tuple[Sequence[ServerStatus], Sequence[ToolSpec]]:
        """Everything that is known."""
        async with connected(self._pool) as connection:
            servers = await rows(connection, SERVERS)
            tools = await rows(connection, TOOLS)
        return [_status(found) for found in servers], [_spec(found) for found in tools]


def _fields(tool: ToolSpec) -> dict[str, object]:
    return {
        "server": tool.server,
        "name": tool.name,
        "description": tool.description,
        "input_schema": Jsonb(dict(tool.input_schema)),
        "output_schema": Jsonb(dict(tool.output_schema)) if tool.output_schema else None,
        "hints": Jsonb(asdict(tool.hints)),
        "digest": tool.digest,
    }


def _status(found: DictRow) -> ServerStatus:
    state = ServerState(found["state"])
    return ServerStatus(server=found["name"], state=state, error=found["error"])


def _spec(found: DictRow) -> ToolSpec:
    return ToolSpec(
        server=found["server"],
        name=found["name"],
        description=found["description"],
        input_schema=found["input_schema"],
        output_schema=found["output_schema"],
        hints=ToolHints(**found["hints"]),
        digest=found["digest"],
    )
