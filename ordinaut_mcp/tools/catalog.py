"""MCP tool about the catalog: what pipeline steps may use."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from ordinaut_mcp.domain.tool import ToolSpec
from ordinaut_mcp.services.catalog import Catalog
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.registry import READS, Ctx, Registry, asked
from ordinaut_mcp.tools.status import ServerView

SHORT = 200


class ToolView(BaseModel):
    uses: str
    description: str
    state: str
    arguments: list[str]
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    read_only: bool
    idempotent: bool


class CatalogAnswer(BaseModel):
    tools: list[ToolView]
    servers: list[ServerView]


async def list_pipeline_tools(
    ctx: Ctx,
    query: Annotated[
        str | None, Field(max_length=200, description="Words in name or description.")
    ] = None,
    server: Annotated[
        str | None, Field(max_length=63, description="Only this tool server.")
    ] = None,
    detail: Annotated[bool, Field(description="With input and output schemas.")] = False,
) -> Annotated[CallToolResult, CatalogAnswer]:
    """List what steps of a pipeline may use: the tools of the configured servers and built-ins.

    `uses` is the word a step says. Names with * are needed arguments; `detail` gives the JSON
    schemas. A server whose state is not ready says why; its tools cannot be called now.
    """
    _, services = await asked(ctx)
    found = await services.catalog.search(query=query, server=server)
    facts = catalog_answer(found, detail=detail)
    lines = [
        f"{one.uses}({', '.join(one.arguments)}): {one.description[:SHORT]}" for one in facts.tools
    ]
    broken = [f"{one.server} is {one.state}: {one.error}" for one in facts.servers if one.error]
    return answer("\n".join([*lines, *broken]) or "No tools fit.", facts)


def catalog_answer(found: Catalog, *, detail: bool) -> CatalogAnswer:
    """The catalog in the shape that every caller gets."""
    return CatalogAnswer(
        tools=[_view(found, tool, detail=detail) for tool in found.tools.values()],
        servers=[
            ServerView(server=one.server, state=one.state.value, error=one.error)
            for one in found.servers.values()
        ],
    )


def _view(found: Catalog, tool: ToolSpec, *, detail: bool) -> ToolView:
    server = found.servers.get(tool.server)
    needed = set(tool.input_schema.get("required", ()))
    names = tool.input_schema.get("properties", {})
    return ToolView(
        uses=tool.uses,
        description=tool.description if detail else tool.description[:SHORT],
        state=server.state.value if server else "ready",
        arguments=[f"{name}*" if name in needed else name for name in names],
        input_schema=dict(tool.input_schema) if detail else None,
        output_schema=dict(tool.output_schema) if detail and tool.output_schema else None,
        read_only=tool.hints.read_only,
        idempotent=tool.hints.idempotent,
    )


def register(server: Registry) -> None:
    """Publish the tool about the catalog."""
    server.offer(list_pipeline_tools, title="List what steps may use", annotations=READS)
