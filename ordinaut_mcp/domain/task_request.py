"""What a caller asks of a task: one flat set of arguments, whatever the words they came in.

A request is kept beside what it means: edits are merged over it, and asking for the same again
changes nothing. Types and lengths were checked at the boundary; what depends on several
arguments is checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from ordinaut_mcp.domain.arguments import checked_arguments
from ordinaut_mcp.domain.clean import one_line
from ordinaut_mcp.domain.retry import Backoff, RetryPolicy
from ordinaut_mcp.domain.schedule import Kind, ScheduleRequest
from ordinaut_mcp.domain.stuck import AnySchedule
from ordinaut_mcp.domain.task import Overlap, Policies, task_number
from ordinaut_mcp.errors import InvalidInput, NotAvailable, did_you_mean

SCHEDULE_PART: Final = (
    "schedule_expr",
    "schedule_kind",
    "timezone",
    "start_at",
    "end_at",
    "exclude",
    "exclude_calendar",
    "gap",
)
"""What decides the occurrences; while these stay the same text, the anchors stay, too."""

KEPT: Final = (
    *SCHEDULE_PART,
    "title",
    "description",
    "tags",
    "pipeline",
    "params",
    "max_runs",
    "jitter_seconds",
    "misfire",
    "max_lateness_seconds",
    "overlap",
    "priority",
    "concurrency_key",
    "max_concurrent",
    "max_retries",
    "backoff",
    "timeout_seconds",
    "run_timeout_seconds",
)
SAME_AS: Final = {"dedupe_key": "key", "backoff_strategy": "backoff"}
NOT_YET: Final = {
    "message": "Use `pipeline` instead.",
    "agent": "Leave it out: the task is then your own.",
}
BACKOFF: Final[Mapping[str, Any]] = {
    "properties": {
        "strategy": {"enum": [strategy.value for strategy in Backoff]},
        "base_seconds": {"type": "number", "minimum": 0.001, "maximum": 86_400},
        "max_seconds": {"type": "number", "minimum": 0.001, "maximum": 604_800},
    }
}
PAYLOAD: Final = ("pipeline", "params")
ORDINARY_LATENESS: Final = timedelta(hours=12)


def plain_request(given: Mapping[str, Any], *, default_timezone: str) -> dict[str, Any]:
    """The arguments under their own names, without nulls; `payload` is opened.

    Raises:
        InvalidInput: two arguments say the same thing differently, or none says what to do.
        NotAvailable: an argument that this version does not have yet.
    """
    request = _renamed(given)
    for name, instead in NOT_YET.items():
        if name in request:
            raise NotAvailable(
                f"'{name}' is not available in this version.", field=name, hint=instead
            )
    _open_payload(request)
    _check_texts(request)
    request.setdefault("timezone", default_timezone)
    request.setdefault("schedule_kind", "auto")
    return request


def kept(request: Mapping[str, Any]) -> dict[str, Any]:
    """The part that makes a revision: everything but key, paused and dry_run."""
    return {name: request[name] for name in KEPT if name in request}


def merged(old: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The old request with what is given now over it; an explicit null takes a part away."""
    changes = _renamed({name: value for name, value in given.items() if value is not None})
    if "payload" in changes or "pipeline" in changes:
        _open_payload(changes)
    taken = {SAME_AS.get(name, name) for name, value in given.items() if value is None}
    return {name: value for name, value in {**old, **changes}.items() if name not in taken}


def same_schedule(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both ask for the same occurrences, compared as text."""
    return all(one.get(name) == other.get(name) for name in SCHEDULE_PART)


def schedule_request(request: Mapping[str, Any]) -> ScheduleRequest:
    """The part of a request that says when."""
    if "schedule_expr" not in request:
        raise InvalidInput(
            "'schedule_expr' is needed: it says when.",
            code="missing",
            field="schedule_expr",
            hint="For example 'in 20 minutes', '0 8 * * 1-5' or 'every 15m'.",
        )
    return ScheduleRequest(
        expr=request["schedule_expr"],
        kind=request.get("schedule_kind", "auto"),
        timezone=request["timezone"],
        start_at=request.get("start_at"),
        end_at=request.get("end_at"),
        exclude=tuple(request.get("exclude", ())),
        exclude_calendar=request.get("exclude_calendar"),
        gap=request.get("gap"),
    )


def policies(request: Mapping[str, Any], schedule: AnySchedule) -> Policies:
    """The rules of a task, with interface.md's defaults where nothing was asked."""
    once = schedule.kind in {Kind.ONCE, Kind.IN}
    return Policies(
        misfire=request.get("misfire", "latest"),
        max_lateness=_seconds(request, "max_lateness_seconds", None if once else ORDINARY_LATENESS),
        overlap=Overlap(request.get("overlap", "skip")),
        jitter=_seconds(request, "jitter_seconds", timedelta(0)) or timedelta(0),
        max_runs=request.get("max_runs"),
        priority=request.get("priority", 5),
        concurrency_key=request.get("concurrency_key"),
        max_concurrent=request.get("max_concurrent"),
        retry=_retry(request),
        step_timeout=_seconds(request, "timeout_seconds", None) or Policies().step_timeout,
        run_timeout=_seconds(request, "run_timeout_seconds", None) or Policies().run_timeout,
    )


def _renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    request: dict[str, Any] = {}
    for name, value in given.items():
        own = SAME_AS.get(name, name)
        if value is None:
            continue
        if request.get(own, value) != value:
            raise InvalidInput(
                f"'{own}' and '{name}' are the same argument and were given different values.",
                code="conflicting_arguments",
                field=name,
                hint=f"Give only '{own}'.",
            )
        request[own] = value
    return request


def _open_payload(request: dict[str, Any]) -> None:
    payload = request.pop("payload", None)
    if payload is not None:
        if "pipeline" in request:
            raise InvalidInput(
                "Give either 'payload' or 'pipeline', not both.",
                code="conflicting_arguments",
                field="payload",
                hint='\'payload\' is {"pipeline": […], "params": {…}}.',
            )
        _check_payload(payload)
        request.update(payload)
    if "pipeline" not in request:
        raise InvalidInput(
            "There is nothing to do: a task needs a pipeline.",
            code="missing",
            field="pipeline",
            hint='For example pipeline: [{"id": "a", "uses": "SERVER.TOOL", "with": {…}}];'
            " list_pipeline_tools says what steps may use.",
        )


def _check_payload(payload: Mapping[str, Any]) -> None:
    for name in payload:
        if name not in PAYLOAD:
            raise InvalidInput(
                f"There is no '{name[:60]}' in a payload.",
                code="unknown_field",
                field=f"payload.{name[:60]}",
                hint=did_you_mean(name, PAYLOAD) or "Give it as an argument of its own.",
                allowed=PAYLOAD,
            )
    if not isinstance(payload.get("params", {}), dict):
        raise InvalidInput(
            "'payload.params' must be an object.", code="wrong_type", field="payload.params"
        )


def _check_texts(request: Mapping[str, Any]) -> None:
    if "title" in request:
        one_line(request["title"], "title", 200)
    if "key" in request:
        one_line(request["key"], "key", 200)
        _check_key(request["key"])
    if "concurrency_key" in request:
        one_line(request["concurrency_key"], "concurrency_key", 200)
    for index, tag in enumerate(request.get("tags", ())):
        one_line(tag, f"tags[{index}]", 50)


def _check_key(key: str | None) -> None:
    if key is not None and task_number(key) is not None:
        raise InvalidInput(
            f"The key '{key}' looks like a task's id.",
            code="invalid_key",
            field="key",
            hint="Choose a name of your own, such as 'morning-briefing'.",
        )


def _seconds(request: Mapping[str, Any], name: str, default: timedelta | None) -> timedelta | None:
    return timedelta(seconds=request[name]) if name in request else default


def _retry(request: Mapping[str, Any]) -> RetryPolicy:
    asked = request.get("backoff", "exponential_jitter")
    named = isinstance(asked, str)
    strategy: dict[str, Any] = {"strategy": asked} if named else checked_backoff(asked)
    base = timedelta(seconds=strategy.get("base_seconds", 1))
    longest = timedelta(seconds=strategy.get("max_seconds", 300))
    if base > longest:
        raise InvalidInput(
            "The first rest is longer than the longest one.",
            code="out_of_range",
            field="backoff.base_seconds",
            hint=f"Give a base_seconds of at most {longest.total_seconds():g}.",
        )
    return RetryPolicy(
        max_retries=request.get("max_retries", 3),
        backoff=Backoff(strategy.get("strategy", "exponential_jitter")),
        base=base,
        longest=longest,
    )


def checked_backoff(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The object form of `backoff`, held to its own small schema.

    Raises:
        InvalidInput: with the field `backoff.…`.
    """
    try:
        return checked_arguments(BACKOFF, asked)
    except InvalidInput as error:
        error.field = f"backoff.{error.field}"
        raise
