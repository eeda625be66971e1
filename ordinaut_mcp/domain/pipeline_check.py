"""Whether a pipeline can work, told when it is stored: its references, tools and arguments."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ordinaut_mcp.domain.json_schema import Validator, compile_schema
from ordinaut_mcp.domain.nearest import near
from ordinaut_mcp.domain.pipeline_arguments import check_arguments
from ordinaut_mcp.domain.pipeline_references import check_references
from ordinaut_mcp.domain.step import Pipeline, Step
from ordinaut_mcp.domain.template import templates_in
from ordinaut_mcp.domain.tool import ServerState, ServerStatus, ToolSpec
from ordinaut_mcp.errors import InvalidInput, Unavailable


def check_pipeline(
    pipeline: Pipeline,
    *,
    catalog: Mapping[str, ToolSpec],
    params: Mapping[str, Any] | None = None,
    servers: Collection[str] = (),
    not_ready: Mapping[str, ServerStatus] | None = None,
    secrets: Collection[str] | None = None,
) -> list[str]:
    """Refuse what cannot work; the result are warnings, one sentence each.

    `catalog` holds the tools by what steps say in `uses`, `servers` all names of the tools file.
    `not_ready` are the servers that have not told their tools: what they offer is not called
    unknown. `params` are the task's, None when they are not known; `secrets` the names that the
    owner may use, None when that is checked elsewhere.

    Raises:
        InvalidInput: unknown_reference, unknown_tool, unknown_secret or schema_mismatch.
        Unavailable: tool_unavailable, for a tool of a server that is not ready.
    """
    checking = _Checking(catalog, servers, not_ready or {})
    warnings = check_references(pipeline, params)
    for step in pipeline.every_step():
        _check_secrets(step, secrets)
        if step.uses:
            warnings += checking.call(step, params)
    return warnings + _shadowed(pipeline)


class _Checking:
    def __init__(
        self,
        catalog: Mapping[str, ToolSpec],
        servers: Collection[str],
        not_ready: Mapping[str, ServerStatus],
    ) -> None:
        self._catalog = catalog
        self._servers = {*servers, *(spec.server for spec in catalog.values())}
        self._not_ready = not_ready
        self._validators: dict[str, Validator | None] = {}

    def call(self, step: Step, params: Mapping[str, Any] | None) -> list[str]:
        spec = self._catalog.get(step.uses)
        if spec is None:
            raise self._no_tool(step)
        warnings: list[str] = []
        if step.uses not in self._validators:
            self._validators[step.uses] = _validator(spec, warnings)
        validator = self._validators[step.uses]
        return warnings + (check_arguments(step, validator, params) if validator else [])

    def _no_tool(self, step: Step) -> InvalidInput | Unavailable:
        server, _, tool = step.uses.partition(".")
        status = self._not_ready.get(server)
        if status and status.state in {ServerState.STARTING, ServerState.FAILED}:
            return _not_ready(step, status)
        return self._unknown(step, server, tool)

    def _unknown(self, step: Step, server: str, tool: str) -> InvalidInput:
        of_server = [spec.name for spec in self._catalog.values() if spec.server == server]
        if server in self._servers:
            message = f"the tool server '{server}' has no tool '{tool}'"
            meant = [f"{server}.{name}" for name in near(tool, of_server)]
        else:
            message = f"there is no tool server '{server}'"
            meant = near(step.uses, self._catalog) or near(server, self._servers)
        return InvalidInput(
            f"Step '{step.id}', {step.field}.uses: {message}"
            + (f"; did you mean '{meant[0]}'?" if meant else ""),
            code="unknown_tool",
            field=f"{step.field}.uses",
            hint="list_pipeline_tools shows what steps may use.",
            allowed=meant or None,
        )


def _not_ready(step: Step, status: ServerStatus) -> Unavailable:
    starting = status.state is ServerState.STARTING
    why = "is still starting" if starting else "does not answer"
    return Unavailable(
        f"Step '{step.id}', {step.field}.uses: the tool server '{status.server}' {why}"
        + (f": {status.error}" if status.error else ""),
        code="tool_unavailable",
        field=f"{step.field}.uses",
        hint=None if starting else f"Run: ordinaut tools test {status.server}",
        retry_after=5.0 if starting else None,
    )


def _validator(spec: ToolSpec, warnings: list[str]) -> Validator | None:
    """A schema that cannot be used is its server's fault, not the caller's."""
    try:
        validator = compile_schema(
            dict(spec.input_schema), field=f"the input schema of {spec.uses}", trusted=False
        )
    except InvalidInput as error:
        warnings.append(f"The arguments of {spec.uses} cannot be checked: {error.message}")
        return None
    warnings += validator.warnings
    return validator


def _check_secrets(step: Step, secrets: Collection[str] | None) -> None:
    """One text for what does not exist and for what is not granted."""
    if secrets is None:
        return
    for placed in templates_in(dict(step.arguments), f"{step.field}.with"):
        for name in sorted(placed.template.secrets - set(secrets)):
            raise InvalidInput(
                f"Step '{step.id}', {placed.field}: there is no secret {name} for this task",
                code="unknown_secret",
                field=placed.field,
                hint=f"A person can set it: ordinaut secrets set {name}",
            )


def _shadowed(pipeline: Pipeline) -> list[str]:
    """Two steps may save under one name (one of two alternatives), which may also be a slip."""
    seen: dict[str, Step] = {}
    warnings: list[str] = []
    for step in pipeline.every_step():
        earlier = seen.get(step.save_as)
        if earlier and not (earlier.condition and step.condition):
            warnings.append(
                f"{step.field}.save_as: steps.{step.save_as} of step '{earlier.id}' is replaced"
            )
        seen[step.save_as] = step
    return warnings
