"""What answers say in one sentence that a person can check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ordinaut_mcp.domain.instant import spoken
from ordinaut_mcp.domain.redrive import AtOnce, Redrive, Repeat, Sending
from ordinaut_mcp.domain.schedule import Occurrence
from ordinaut_mcp.services.tasks import Saved
from ordinaut_mcp.tools.answers import AgendaAnswer, RunView, TaskView, WholeTaskAnswer

NOTHING = "Nothing changed"


def saved(result: Saved, coming: Sequence[Occurrence]) -> str:
    """What became of a request to schedule or change."""
    task = result.task
    schedule = task.definition.schedule
    who = f"'{task.definition.title}'" + (f" ({task.name})" if task.id else "")
    lead = _lead(result)
    when = schedule.describe()
    text = f"{lead} {who}: {when[:1].lower()}{when[1:]}."
    if task.status.value == "paused":
        return f"{text} It is paused: resume_task lets it fire."
    if not coming:
        return f"{text} Nothing is to come."
    return f"{text} Next: {spoken(coming[0].at, schedule.timezone)} ({schedule.timezone})."


def _lead(result: Saved) -> str:
    if not result.stored:
        return "Checked, nothing was stored:"
    if result.created:
        return "Scheduled"
    if not result.changed:
        return f"{NOTHING}, it is already scheduled like this:"
    return f"Changed {', '.join(result.changed)} of"


def with_warnings(says: str, warnings: Sequence[str]) -> str:
    """The sentence, and each warning on a line of its own."""
    return "\n".join([says, *(f"Warning: {warning}" for warning in warnings)])


def status(task: TaskView) -> str:
    """How a task is now."""
    coming = (
        f" Next: {task.next_run_at.local}." if task.next_run_at and task.status == "active" else ""
    )
    why = f" ({task.note})" if task.note else ""
    return f"'{task.title}' ({task.id}) is {task.status}{why}.{coming}"


def tasks(views: Sequence[TaskView], more: str | None) -> str:
    """A list of tasks, a line each."""
    if not views:
        return "No tasks."
    lines = [
        f"{view.id}{f' [{view.key}]' if view.key else ''} {view.status}: {view.title} — "
        f"{view.schedule_says}; next {view.next_run_at.local if view.next_run_at else 'none'}"
        for view in views
    ]
    return "\n".join([*lines, *([f"More: cursor={more}"] if more else [])])


def run(view: RunView) -> str:
    """A run in a line."""
    why = f" ({view.reason})" if view.reason else ""
    late = f", started {view.lateness_ms} ms after due" if view.lateness_ms is not None else ""
    problem = f": {view.error.get('message')}" if view.error else ""
    what = f"{view.id} of '{view.title}' ({view.task}) for {view.scheduled_for}"
    return f"{what}: {view.state}{why}{late}{problem}"


def whole_run(view: RunView) -> str:
    """A run with its steps, a line each."""
    steps = [
        f"  {step.id} ({step.uses}): {step.state}"
        + (f" — {step.error.get('message')}" if step.error else "")
        for step in view.steps or ()
    ]
    hint = [f"Next: {view.error['hint']}"] if view.error and view.error.get("hint") else []
    return "\n".join([run(view), *steps, *hint])


def sent_on(view: RunView, how: Sending) -> str:
    """How a run was sent on."""
    match how:
        case AtOnce():
            return f"{view.id} is tried again at once, not after its rest."
        case Repeat(step=None):
            return f"{view.id} goes on."
        case Repeat(step=step):
            return f"{view.id} goes on: '{step}' is called again with the same key and input."
        case Redrive(step=None):
            return f"{view.id} is sent again; all its steps are done, so that it only has to end."
        case Redrive(step=step, doubtful=doubtful):
            doubt = (
                f" The earlier call of '{doubtful[0]}' may have had its effect." if doubtful else ""
            )
            return (
                f"{view.id} is sent again from '{step}': what came before is kept, from there on"
                f" every step is called anew, under new keys.{doubt}"
            )
    assert_never(how)


def runs(views: Sequence[RunView], more: str | None) -> str:
    """A list of runs, a line each."""
    if not views:
        return "No runs."
    return "\n".join([*(run(view) for view in views), *([f"More: cursor={more}"] if more else [])])


def whole_task(facts: WholeTaskAnswer) -> str:
    """A task with what comes and what was."""
    coming = [f"  next {occurrence.local}" for occurrence in facts.next]
    return "\n".join(
        [
            status(facts.task),
            f"  {facts.task.schedule_says}",
            *coming,
            *(f"  {run(view)}" for view in facts.runs),
        ]
    )


def agenda(facts: AgendaAnswer) -> str:
    """What is to come, a line each."""
    lines = [
        f"{one.at.local} {one.state}: {one.title} ({one.task})"
        + (f" — {one.note}" if one.note else "")
        for one in facts.occurrences
    ]
    more = ["There is more: give a larger limit."] if facts.truncated else []
    return "\n".join([*lines, *more]) or f"Nothing is to come until {facts.until.local}."
