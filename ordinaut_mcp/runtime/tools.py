"""One way to all tools that steps may use: the built-in ones, and those of tool servers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any

import anyio

from ordinaut_mcp.domain.builtin import BUILTINS, HTTP_REQUEST
from ordinaut_mcp.domain.json_schema import Validator, compile_schema
from ordinaut_mcp.domain.template import RenderContext
from ordinaut_mcp.domain.tool import Fault, FaultKind, ToolHints, ToolOutcome, ToolSpec
from ordinaut_mcp.ports import ToolCaller
from ordinaut_mcp.runtime.steps.call import Builtin, StepCall
from ordinaut_mcp.runtime.steps.catalog import COMPUTING
from ordinaut_mcp.runtime.steps.http import request_hints

log = logging.getLogger(__name__)

Specs = Callable[[], Mapping[str, ToolSpec]]

CATALOG_WITHIN = timedelta(seconds=20)
"""How long a tool server may take to come up before its tools are taken for unknown."""
GRACE = timedelta(milliseconds=500)
LOOK_EVERY = timedelta(milliseconds=100)


class PipelineTools:
    """Carries out one call, whoever offers the tool; a fault is a value, never raised."""

    def __init__(self, builtins: Mapping[str, Builtin], servers: ToolCaller, specs: Specs) -> None:
        self._builtins = builtins
        self._servers = servers
        self._specs = specs

    async def hints(self, uses: str, arguments: Mapping[str, Any]) -> ToolHints:
        """What the tool says of itself; pessimistic where it says nothing.

        An HTTP request is what its method says.

        A process that has just started waits for the tool server's first catalog: a run that it
        takes over must not be judged by what is not known yet.
        """
        if uses == HTTP_REQUEST.uses:
            return request_hints(arguments)
        spec = BUILTINS.get(uses) or self._specs().get(uses)
        with anyio.move_on_after(CATALOG_WITHIN.total_seconds()):
            while spec is None:
                await anyio.sleep(LOOK_EVERY.total_seconds())
                spec = self._specs().get(uses)
        return spec.hints if spec else ToolHints()

    @staticmethod
    def computes(uses: str) -> bool:
        """Whether `compute` carries it out."""
        return uses in COMPUTING

    @staticmethod
    def misfit(uses: str, arguments: Mapping[str, Any]) -> Fault | None:
        """What is wrong with the arguments of a built-in; None: they fit."""
        return _misfit(uses, arguments)

    @staticmethod
    def compute(
        uses: str, arguments: Mapping[str, Any], context: Callable[[], RenderContext]
    ) -> ToolOutcome:
        """The answer of a built-in that only computes, to arguments that fit."""
        try:
            return COMPUTING[uses](arguments, context)
        except Exception as error:
            log.exception("built-in %s crashed", uses)
            return _crashed(uses, error)

    async def call(
        self,
        uses: str,
        call: StepCall,
        *,
        timeout: timedelta,  # noqa: ASYNC109 — the tool server is told, too
    ) -> ToolOutcome:
        """The tool's answer within `timeout`."""
        own = self._builtins.get(uses)
        if own is None:
            return await self._servers.call(
                uses, call.arguments, idempotency_key=call.idempotency_key, timeout=timeout
            )
        if problem := _misfit(uses, call.arguments):
            return problem
        # A built-in that ends in its own time knows best what was sent.
        with anyio.move_on_after((timeout + GRACE).total_seconds()):
            return await _guarded(own, uses, call)
        return Fault(
            kind=FaultKind.TIMEOUT,
            message=f"{uses} did not answer within {timeout.total_seconds():g} s.",
            sent=True,
        )


async def _guarded(own: Builtin, uses: str, call: StepCall) -> ToolOutcome:
    try:
        return await own(call)
    except Exception as error:
        log.exception("built-in %s crashed", uses)
        return _crashed(uses, error)


def _crashed(uses: str, error: Exception) -> Fault:
    return Fault(kind=FaultKind.TOOL_ERROR, message=f"{uses} crashed: {type(error).__name__}.")


@cache
def _schema(uses: str) -> Validator:
    return compile_schema(dict(BUILTINS[uses].input_schema), field="with")


def _misfit(uses: str, arguments: Mapping[str, Any]) -> Fault | None:
    problems = _schema(uses).problems(dict(arguments))
    if not problems:
        return None
    return Fault(
        kind=FaultKind.BAD_ARGUMENTS,
        message=f"The arguments do not fit {uses}: " + "; ".join(str(one) for one in problems),
        hint="Correct `with` of this step: update_task.",
    )
