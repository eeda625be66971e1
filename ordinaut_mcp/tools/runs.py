"""MCP tools about runs: start one now, list them, look into one, end one, send one again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from ordinaut_mcp.domain.cursor import cursor_before, parse_cursor
from ordinaut_mcp.domain.instant import parse_instant
from ordinaut_mcp.domain.run import RunState
from ordinaut_mcp.ports import RunFilter
from ordinaut_mcp.tools import sentences
from ordinaut_mcp.tools.answers import RunAnswer, RunsAnswer, SentOnAnswer, run_view
from ordinaut_mcp.tools.boundary import answer
from ordinaut_mcp.tools.cutting import cut
from ordinaut_mcp.tools.parameters import Cursor, Key, Limit, Params, RunRef, TaskRef
from ordinaut_mcp.tools.registry import ENDS, READS, STARTS, Ctx, Registry, asked, desk

When = Annotated[
    str | None, Field(max_length=40, description="An instant: 2026-12-24T18:00 or with an offset.")
]


async def run_now(
    task: TaskRef,
    ctx: Ctx,
    params: Params = None,
    key: Key = None,
    wait_seconds: Annotated[
        float, Field(ge=0, le=45, description="Wait so long for the end; 0 answers at once.")
    ] = 0,
) -> Annotated[CallToolResult, RunAnswer]:
    """Start one run of a task now, outside its schedule; no occurrence is used up.

    `params` are merged over the task's for this run. The same `key` never starts a second run.
    The answer holds the run as it is after `wait_seconds`; follow it with get_run.

    Errors: `not_found`: call list_tasks. `conflict`: the task is canceled, or the key was used
    with other params.
    """
    caller, services = await asked(ctx)
    wait = timedelta(seconds=wait_seconds)
    found = await services.runs.run_now(caller, task, params=params, key=key, wait=wait)
    view = cut(run_view(found, whole=True))
    return answer(sentences.whole_run(view), RunAnswer(run=view))


async def list_runs(
    ctx: Ctx,
    task: Annotated[
        str | None, Field(max_length=200, description="Only of this task (id or key).")
    ] = None,
    state: Annotated[
        Literal[
            "queued", "running", "retrying", "waiting", "succeeded", "failed", "canceled", "skipped"
        ]
        | None,
        Field(description="Only these; default all."),
    ] = None,
    since: When = None,
    until: When = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Annotated[CallToolResult, RunsAnswer]:
    """List runs and skipped occurrences, the newest first, each in short, with the reason or error.

    `since` and `until` (exclusive) are about the nominal instant. get_run shows one with its steps.
    """
    timezone = desk(ctx).default_timezone
    wanted = RunFilter(
        state=RunState(state) if state else None,
        since=parse_instant(since, field="since", timezone=timezone) if since else None,
        until=parse_instant(until, field="until", timezone=timezone) if until else None,
        limit=limit,
        before=parse_cursor(cursor, of="runs"),
    )
    caller, services = await asked(ctx)
    runs = await services.runs.list(caller, wanted, task=task)
    more = cursor_before(runs[limit - 1].id, of="runs") if len(runs) > limit else None
    views = [run_view(run) for run in runs[:limit]]
    return answer(sentences.runs(views, more), RunsAnswer(runs=views, next_cursor=more))


async def get_run(
    run: RunRef,
    ctx: Ctx,
    detail: Annotated[
        Literal["summary", "full"],
        Field(description="summary cuts large inputs and outputs; full gives them whole."),
    ] = "summary",
) -> Annotated[CallToolResult, RunAnswer]:
    """Show one run: every step with its input, output, attempts, times and error.

    `lateness_ms` is started minus due. `verdicts` keep apart whether it was executed, verified
    and delivered; null means not known. Errors: `not_found`: call list_runs.
    """
    caller, services = await asked(ctx)
    view = run_view(await services.runs.get(caller, run), whole=True)
    shown = view if detail == "full" else cut(view)
    return answer(sentences.whole_run(shown), RunAnswer(run=shown))


async def cancel_run(run: RunRef, ctx: Ctx) -> Annotated[CallToolResult, RunAnswer]:
    """End one run: at once while it waits, within a moment while a step is running.

    What a step has done already is not undone; later steps are not started. A run that has ended
    stays as it is. The task goes on; cancel_task ends that. Errors: `not_found`: call list_runs.
    """
    caller, services = await asked(ctx)
    view = cut(run_view(await services.runs.cancel(caller, run), whole=True))
    return answer(sentences.whole_run(view), RunAnswer(run=view))


async def retry_run(
    run: RunRef,
    ctx: Ctx,
    from_step: Annotated[
        str | None,
        Field(
            max_length=200, description="A step's id, as get_run says: it and all after it anew."
        ),
    ] = None,
) -> Annotated[CallToolResult, SentOnAnswer]:
    """Send a failed or canceled run again, let a waiting one go on, or try a retrying one at once.

    Without `from_step`: a failed or canceled run goes on at its first step that is not done; the
    results of the others are kept. A waiting run repeats the call whose outcome is unknown, with
    the same key and input. First look whether that call had its effect, then decide.
    With `from_step` that step and all after it are called anew, under new idempotency keys, also
    those that had succeeded. The run keeps its id and its task's definition as it was then.

    Errors: `not_found`: call list_runs. `conflict`: it succeeded, was skipped or is on its way, or
    its task is canceled. `invalid`: it cannot begin at `from_step`; `allowed` says where it can.
    """
    caller, services = await asked(ctx)
    sent = await services.redrives.retry(caller, run, from_step=from_step)
    view = cut(run_view(sent.run, whole=True))
    says = sentences.sent_on(view, sent.how)
    return answer(f"{says}\n{sentences.whole_run(view)}", SentOnAnswer(run=view, says=says))


def register(server: Registry) -> None:
    """Publish the tools about runs."""
    server.offer(run_now, title="Run a task now", annotations=STARTS)
    server.offer(list_runs, title="List runs", annotations=READS)
    server.offer(cancel_run, title="Cancel a run", annotations=ENDS)
    server.offer(retry_run, title="Send a run again", annotations=STARTS)
    server.offer(get_run, title="Show a run", annotations=READS)
