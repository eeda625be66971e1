"""MCP tools about tasks: schedule, look up, change, pause, cancel."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from mcp.types import CallToolResult
from pydantic import Field

from ordinaut_mcp.domain.cursor import cursor_before, parse_cursor
from ordinaut_mcp.domain.instant import parse_instant
from ordinaut_mcp.domain.snoozing import SnoozeRequest
from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.ports import TaskFilter
from ordinaut_mcp.services.tasks import Saved, upcoming
from ordinaut_mcp.tools import sentences
from ordinaut_mcp.tools.answers import (
    SavedAnswer,
    SnoozedAnswer,
    TaskAnswer,
    TasksAnswer,
    WholeTaskAnswer,
    occurrence_view,
    run_view,
    snoozed_answer,
    task_view,
)
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.parameters import (
    BackoffRule,
    Cursor,
    EndAt,
    Exclude,
    ExcludeCalendar,
    Expr,
    Gap,
    Key,
    Kind,
    Limit,
    Params,
    Payload,
    Pipeline,
    Seconds,
    StartAt,
    Tags,
    TaskRef,
    Title,
    Zone,
)
from ordinaut_mcp.tools.registry import CHANGES, ENDS, GIVEN, MOVES, READS, Ctx, Registry, asked

Misfire = Annotated[
    Literal["latest", "all", "skip"] | None,
    Field(
        description="Occurrences missed while nothing ran: latest (default) runs the newest, all"
        " runs up to 100 in order, skip runs none. Each one that does not run leaves a row."
    ),
]
Overlap = Annotated[
    Literal["skip", "queue", "allow", "cancel_running"] | None,
    Field(
        description="While an earlier run is unfinished: skip (default), queue, allow, or"
        " cancel_running."
    ),
]
Description = Annotated[str | None, Field(max_length=4000)]
Priority = Annotated[int | None, Field(ge=1, le=9, description="9 goes first, 1 last; default 5.")]
MaxRuns = Annotated[
    int | None, Field(ge=1, le=1_000_000, description="The task is complete after so many runs.")
]
Retries = Annotated[
    int | None, Field(ge=0, le=100, description="Further attempts after a failure; default 3.")
]
StepSeconds = Annotated[
    float | None, Field(gt=0, le=3600, description="Each step's time-out; default 30.")
]
RunSeconds = Annotated[
    float | None, Field(gt=0, le=86_400, description="The whole run's time-out; default 21600.")
]
ConcurrencyKey = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="Runs of all tasks with this key share one limit: max_concurrent, default 1.",
    ),
]
MaxConcurrent = Annotated[
    int | None,
    Field(ge=1, le=1000, description="So many runs at once: of the key, else of this task."),
]
NotYet = Annotated[Any, Field(description="Not available in this version.")]


async def schedule_task(
    title: Title,
    schedule_expr: Expr,
    ctx: Ctx,
    schedule_kind: Kind = "auto",
    timezone: Zone = None,
    pipeline: Pipeline = None,
    params: Params = None,
    payload: Payload = None,
    key: Key = None,
    description: Description = None,
    tags: Tags = None,
    start_at: StartAt = None,
    end_at: EndAt = None,
    max_runs: MaxRuns = None,
    exclude: Exclude = None,
    exclude_calendar: ExcludeCalendar = None,
    gap: Gap = None,
    jitter_seconds: Seconds = None,
    misfire: Misfire = None,
    max_lateness_seconds: Seconds = None,
    overlap: Overlap = None,
    priority: Priority = None,
    concurrency_key: ConcurrencyKey = None,
    max_concurrent: MaxConcurrent = None,
    max_retries: Retries = None,
    backoff: BackoffRule = None,
    timeout_seconds: StepSeconds = None,
    run_timeout_seconds: RunSeconds = None,
    message: NotYet = None,
    agent: NotYet = None,
    paused: Annotated[bool | None, Field(description="Store it without letting it fire.")] = None,
    dry_run: Annotated[bool, Field(description="Check everything, store nothing.")] = False,
    dedupe_key: Annotated[
        str | None, Field(min_length=1, max_length=200, description="Same as key.")
    ] = None,
    backoff_strategy: BackoffRule = None,
) -> Annotated[CallToolResult, SavedAnswer]:
    """Store what is to be done and when; it happens on time with no client open and no model.

    Say when in the user's words and let the server compute dates. The pipeline's tools and
    arguments are checked now, so that what is stored can run. Give `key` so that repeating the
    call changes this task instead of making another.

    Returns the task, whether it was created now, its next three occurrences in local time and
    UTC, one sentence to check with the user, and warnings worth passing on.

    Errors name the argument and what is allowed; then nothing was stored. `unknown_tool`: call
    list_pipeline_tools. `never_fires`, `in_the_past`, `invalid_schedule`: try preview_schedule.
    """
    given = {name: value for name, value in locals().items() if name != "ctx"}
    caller, services = await asked(ctx)
    return _saved(await services.tasks.schedule(caller, given))


async def update_task(
    task: TaskRef,
    ctx: Ctx,
    title: Annotated[str | None, Field(max_length=200)] = None,
    schedule_expr: Annotated[
        str | None, Field(min_length=1, max_length=20_000, description="When; as in schedule_task.")
    ] = None,
    schedule_kind: Annotated[str | None, Field(max_length=40)] = None,
    timezone: Zone = None,
    pipeline: Pipeline = None,
    params: Params = None,
    payload: Payload = None,
    description: Description = None,
    tags: Tags = None,
    start_at: StartAt = None,
    end_at: EndAt = None,
    max_runs: MaxRuns = None,
    exclude: Exclude = None,
    exclude_calendar: ExcludeCalendar = None,
    gap: Gap = None,
    jitter_seconds: Seconds = None,
    misfire: Misfire = None,
    max_lateness_seconds: Seconds = None,
    overlap: Overlap = None,
    priority: Priority = None,
    concurrency_key: ConcurrencyKey = None,
    max_concurrent: MaxConcurrent = None,
    max_retries: Retries = None,
    backoff: BackoffRule = None,
    timeout_seconds: StepSeconds = None,
    run_timeout_seconds: RunSeconds = None,
    message: NotYet = None,
    agent: NotYet = None,
    paused: Annotated[bool | None, Field(description="true pauses, false lets it fire.")] = None,
    dry_run: Annotated[bool, Field(description="Check everything, store nothing.")] = False,
    expected_generation: Annotated[
        int | None,
        Field(ge=1, description="Only if the task is still at this generation (get_task says it)."),
    ] = None,
    backoff_strategy: BackoffRule = None,
) -> Annotated[CallToolResult, SavedAnswer]:
    """Change the named parts of a task and leave the others as they are.

    An argument that is null takes that part back to its default; one that is left out stays.
    While the schedule's arguments stay the same text, its place in the series stays, too.

    Returns the same as schedule_task. Errors: `not_found`: call list_tasks. `conflict`: the task
    was changed since you read it; call get_task and decide again. Nothing was stored then.
    """
    given = {
        name: value
        for name, value in locals().items()
        if name not in {"ctx", "task"} and (value is not None or name in GIVEN.get())
    }
    caller, services = await asked(ctx)
    return _saved(await services.tasks.update(caller, task, given))


async def list_tasks(
    ctx: Ctx,
    status: Annotated[
        Literal["active", "paused", "completed", "canceled"] | None,
        Field(description="Only these; default all."),
    ] = None,
    tag: Annotated[str | None, Field(max_length=50)] = None,
    query: Annotated[
        str | None, Field(max_length=200, description="Part of the title or key.")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Annotated[CallToolResult, TasksAnswer]:
    """List your tasks, the newest first, each in short. get_task shows one whole."""
    before = parse_cursor(cursor, of="tasks")
    caller, services = await asked(ctx)
    wanted = TaskFilter(
        status=TaskStatus(status) if status else None,
        tag=tag,
        query=query,
        limit=limit,
        before=before,
    )
    tasks = await services.tasks.list(caller, wanted)
    more = cursor_before(tasks[limit - 1].id, of="tasks") if len(tasks) > limit else None
    views = [task_view(task) for task in tasks[:limit]]
    return answer(sentences.tasks(views, more), TasksAnswer(tasks=views, next_cursor=more))


async def get_task(task: TaskRef, ctx: Ctx) -> Annotated[CallToolResult, WholeTaskAnswer]:
    """Show one task whole: schedule, pipeline, rules, next occurrences and its last runs.

    Errors: `not_found`: call list_tasks and use an id or key from there.
    """
    caller, services = await asked(ctx)
    found, runs = await services.tasks.get(caller, task)
    timezone = found.definition.schedule.timezone
    coming = upcoming(found)
    facts = WholeTaskAnswer(
        task=task_view(found, whole=True),
        next=[occurrence_view(occurrence, timezone) for occurrence in coming],
        runs=[run_view(run) for run in runs],
    )
    return answer(sentences.whole_task(facts), facts)


async def pause_task(
    task: TaskRef,
    ctx: Ctx,
    note: Annotated[
        str | None, Field(max_length=500, description="Why, for whoever looks.")
    ] = None,
) -> Annotated[CallToolResult, TaskAnswer]:
    """Let nothing of a task start until resume_task; each occurrence is recorded as skipped.

    A run that is already under way finishes. Errors: `not_found`; `conflict`: it has ended.
    """
    caller, services = await asked(ctx)
    return _told(task_view(await services.tasks.pause(caller, task, note)))


async def resume_task(task: TaskRef, ctx: Ctx) -> Annotated[CallToolResult, TaskAnswer]:
    """Let a paused task fire again, from its next occurrence on; nothing is caught up.

    Errors: `not_found`; `conflict`: it was canceled or is complete; schedule it anew.
    """
    caller, services = await asked(ctx)
    return _told(task_view(await services.tasks.resume(caller, task)))


async def cancel_task(task: TaskRef, ctx: Ctx) -> Annotated[CallToolResult, TaskAnswer]:
    """End a task for good: queued runs are canceled, a run under way finishes, history stays.

    Canceling again changes nothing. Errors: `not_found`: call list_tasks.
    """
    caller, services = await asked(ctx)
    return _told(task_view(await services.tasks.cancel(caller, task)))


async def snooze(
    task: TaskRef,
    ctx: Ctx,
    for_seconds: Annotated[
        float | None,
        Field(gt=0, le=31_622_400, description="So much later than it is due, or than now."),
    ] = None,
    until: Annotated[
        str | None,
        Field(max_length=40, description="At this instant instead, local or with offset."),
    ] = None,
    skip: Annotated[
        int | None, Field(ge=1, le=1000, description="Leave out the next so many occurrences.")
    ] = None,
) -> Annotated[CallToolResult, SnoozedAnswer]:
    """Move the next occurrence of a task, or leave out the next ones; the series stays as it is.

    Give exactly one of for_seconds, until, skip. Snoozing again moves the same occurrence again.
    Returns what was moved from where to where, and the next occurrences as they will happen.
    Errors: `not_found`: call list_tasks. `conflict`: the task is paused or has ended.
    """
    caller, services = await asked(ctx)
    found = await services.tasks.get(caller, task)
    timezone = found[0].definition.schedule.timezone
    request = SnoozeRequest(
        span=timedelta(seconds=for_seconds) if for_seconds is not None else None,
        until=parse_instant(until, field="until", timezone=timezone) if until else None,
        skip=skip,
    )
    facts = snoozed_answer(*await services.tasks.snooze(caller, task, request))
    return answer(facts.says, facts)


def _saved(saved: Saved) -> CallToolResult:
    task = saved.task
    timezone = task.definition.schedule.timezone
    coming = upcoming(task)
    facts = SavedAnswer(
        task=task_view(task, whole=True),
        created=saved.created,
        next=[occurrence_view(occurrence, timezone) for occurrence in coming],
        says=sentences.saved(saved, coming),
        warnings=list(saved.warnings),
    )
    return answer(sentences.with_warnings(facts.says, facts.warnings), facts)


def _told(view: Any) -> CallToolResult:
    says = sentences.status(view)
    return answer(says, TaskAnswer(task=view, says=says))


def register(server: Registry) -> None:
    """Publish the tools about tasks."""
    server.offer(schedule_task, title="Schedule a task", annotations=CHANGES)
    server.offer(update_task, title="Change a task", annotations=CHANGES)
    server.offer(list_tasks, title="List tasks", annotations=READS)
    server.offer(get_task, title="Show a task", annotations=READS)
    server.offer(pause_task, title="Pause a task", annotations=CHANGES)
    server.offer(resume_task, title="Resume a task", annotations=CHANGES)
    server.offer(snooze, title="Snooze an occurrence", annotations=MOVES)
    server.offer(cancel_task, title="Cancel a task", annotations=ENDS)
