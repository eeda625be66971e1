"""Questions of a tool server while nobody is there: answered by who knows, or the call fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import anyio
from mcp import types
from mcp.client import ClientRequestContext
from pydantic import ValidationError

from ordinaut_mcp.bridge.ongoing import CURRENT, Ongoing
from ordinaut_mcp.bridge.question import Answer, Asks, Question, asks_of, says_of

log = logging.getLogger(__name__)

ANSWER_WITHIN: Final = 60.0
"""Seconds for an answer; the call's own time-out ends it earlier."""

_RESULTS: Final = {
    Asks.ELICITATION: types.ElicitResult,
    Asks.SAMPLING: types.CreateMessageResult,
    Asks.ROOTS: types.ListRootsResult,
}


class Unattended:
    """Takes the questions of one connection in place of the SDK's callbacks.

    In 2026-07-28 a question comes as the answer of its call. In 2025-11-25 it comes by itself:
    with one call under way it is that one's. With several, all of them are told of it, and those
    that then end with an error are taken to have asked.
    """

    def __init__(self, server: str, calls: Sequence[Ongoing], answer: Answer | None) -> None:
        """`calls` are those under way, kept up to date by their owner."""
        self._server = server
        self._calls = calls
        self._answer = answer

    async def dispatch(
        self, ctx: ClientRequestContext, request: types.InputRequest
    ) -> types.InputResponse | types.ErrorData:
        """Answer one request of the server: in the place of `ClientSession`'s own."""
        del ctx
        current = CURRENT.get()
        calls = [current] if current else list(self._calls)
        call = calls[0] if len(calls) == 1 else None
        question = self._question(request, call)
        with anyio.move_on_after(ANSWER_WITHIN):
            if answer := await self._answered(question):
                return answer
        log.info("tool server %s %s: nobody answers", self._server, question.says)
        for one in calls:
            one.question = one.question or question
        if call:
            call.scope.cancel()
        return types.ErrorData(code=types.INVALID_REQUEST, message="Nobody is there to answer.")

    def _question(self, request: types.InputRequest, call: Ongoing | None) -> Question:
        params = request.params
        return Question(
            server=self._server,
            asks=asks_of(request),
            says=says_of(request),
            uses=call.uses if call else "",
            idempotency_key=call.idempotency_key if call else "",
            params=params.model_dump(by_alias=True, exclude_none=True) if params else {},
        )

    async def _answered(self, question: Question) -> types.InputResponse | None:
        if self._answer is None:
            return None
        try:
            given: Mapping[str, Any] | None = await self._answer(question)
            return None if given is None else _RESULTS[question.asks].model_validate(given)
        except ValidationError:
            log.exception("the answer to tool server %s is not one of MCP", self._server)
        except Exception:
            log.exception("what tool server %s asks could not be answered", self._server)
        return None
