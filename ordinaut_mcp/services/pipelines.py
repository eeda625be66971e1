"""Pipelines are checked against the catalog when they are stored, by one function for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.domain.builtin import GROUPS, NOT_YET
from ordinaut_mcp.domain.condition import Condition
from ordinaut_mcp.domain.pipeline import Pipeline, Step, parse_pipeline
from ordinaut_mcp.domain.pipeline_check import check_pipeline
from ordinaut_mcp.domain.template import templates_in
from ordinaut_mcp.domain.tool import ServerState
from ordinaut_mcp.domain.web_request import check_web_steps
from ordinaut_mcp.errors import InvalidInput, NotAvailable
from ordinaut_mcp.services.catalog import Catalog, CatalogService

BUILT = frozenset({"on_unknown"})
"""Features of the language beyond plain steps that the executor carries out."""


class PipelineService:
    """Checks what a task would do, before it is stored."""

    def __init__(self, catalog: CatalogService, allowance: Allowance) -> None:
        self._catalog = catalog
        self._allowance = allowance

    async def check(self, request: Mapping[str, Any]) -> Sequence[str]:
        """Warnings about the pipeline.

        Raises:
            InvalidInput: it does not make sense; the field names the step.
            NotAvailable: it uses a part of the language that this version does not have yet.
        """
        pipeline = parse_pipeline(request["pipeline"], field="pipeline")
        _refuse_not_built(pipeline)
        _check_conditions(pipeline)
        check_web_steps(pipeline, allowance=self._allowance)
        servers = {step.uses.partition(".")[0] for step in pipeline.steps if step.uses}
        catalog = await self._catalog.for_servers(servers - GROUPS)
        _refuse_failed(pipeline, catalog)
        return check_pipeline(
            pipeline,
            catalog=catalog.tools,
            params=request.get("params", {}),
            servers=list(catalog.servers),
        )


def _refuse_not_built(pipeline: Pipeline) -> None:
    for index, step in enumerate(pipeline.steps):
        if step.uses in NOT_YET:
            raise NotAvailable(
                f"'{step.uses}' ({NOT_YET[step.uses]}) is not available in this version.",
                field=f"pipeline[{index}].uses",
                hint="list_pipeline_tools says what steps may use.",
            )
    for step in pipeline.every_step():
        for feature in sorted(step.keys & pipeline.features() - BUILT):
            raise NotAvailable(
                f"'{feature}' is not available in this version.",
                field=_place(step, feature),
                hint="Steps run in order here, with plain values.",
            )


def _place(step: Step, feature: str) -> str:
    if feature != "secrets":
        return f"{step.field}.{feature}"
    found = templates_in(step.arguments, f"{step.field}.with")
    return next(one.field for one in found if one.template.secrets)


def _check_conditions(pipeline: Pipeline) -> None:
    """`value.check` evaluates its condition itself, so it is read here as `if` is."""
    for step in pipeline.every_step():
        condition = step.arguments.get("condition")
        if step.uses == "value.check" and isinstance(condition, str):
            Condition.parse(condition, field=f"{step.field}.with.condition")


def _refuse_failed(pipeline: Pipeline, catalog: Catalog) -> None:
    for index, step in enumerate(pipeline.steps):
        server = (step.uses or "").partition(".")[0]
        status = catalog.servers.get(server)
        known = any(tool.server == server for tool in catalog.tools.values())
        if status and status.state is not ServerState.READY and not known:
            raise InvalidInput(
                f"Tool server '{server}' does not answer: {status.error or status.state.value}.",
                code="tool_unavailable",
                field=f"pipeline[{index}].uses",
                hint="Mend its entry in the tools file;"
                f" `ordinaut-mcp tools test {server}` tries it.",
            )
