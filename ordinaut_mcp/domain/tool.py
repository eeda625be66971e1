"""A tool that steps may use, and what a call of it can come back with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHints:
    """The MCP annotations of a tool, with the pessimistic defaults of the specification."""

    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    open_world: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """One entry of the catalog: what a step may `use` as `server.name`."""

    server: str
    name: str
    description: str = ""
    input_schema: Mapping[str, Any] = field(default_factory=dict[str, Any])
    output_schema: Mapping[str, Any] | None = None
    hints: ToolHints = ToolHints()
    digest: str = ""
    """sha256 over the canonical JSON of name, schemas and effective hints; another description
    does not change it. Built-ins leave it empty."""

    @property
    def uses(self) -> str:
        """The word a step says in `uses`."""
        return f"{self.server}.{self.name}"


class ServerState(StrEnum):
    """How a tool server of the tools file is doing."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    """It did not start, or its entry is wrong; it is tried again with backoff."""
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """What is known of one tool server; `error` is one sentence for a person."""

    server: str
    state: ServerState
    error: str | None = None


class FaultKind(StrEnum):
    """Why a call did not bring a result. The kind, never the text, decides about retries."""

    BAD_ARGUMENTS = "schema_mismatch"
    DENIED = "insufficient_scope"
    TOOL_ERROR = "tool_error"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    NOT_REACHABLE = "tool_unavailable"
    UNKNOWN_TOOL = "unknown_tool"
    BAD_OUTPUT = "output_schema_error"
    OUTPUT_TOO_LARGE = "output_too_large"
    MESSAGE_TOO_LARGE = "message_too_large"
    INPUT_REQUIRED = "input_required"
    UNSTORABLE_OUTPUT = "unstorable_output"
    CHECK_FAILED = "check_failed"
    NOT_VERIFIED = "not_verified"
    CONDITION = "condition_error"
    TEMPLATE = "template_error"
    BLOCKED_ADDRESS = "blocked_address"
    BLOCKED_PORT = "blocked_port"
    INVALID_URL = "invalid_url"
    INVALID_HEADER = "invalid_header"


RETRIED: frozenset[FaultKind] = frozenset(
    {FaultKind.TOOL_ERROR, FaultKind.NOT_REACHABLE, FaultKind.TIMEOUT, FaultKind.CONNECTION_LOST}
)
"""Worth another attempt; the others would fail the same way again."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The tool's answer: structured content where it has it, else its text, parsed if JSON."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The call brought no result. `sent`: it may have had its effect all the same.

    `usage` is what a model call has cost although nothing came of it: {input_tokens,
    output_tokens, cost}, to be counted like that of a call that returned.
    """

    kind: FaultKind
    message: str
    hint: str | None = None
    sent: bool = False
    usage: Mapping[str, Any] | None = None


ToolOutcome = Returned | Fault
