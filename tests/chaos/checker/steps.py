"""What the journal says once, it says for ever."""

from __future__ import annotations

from collections.abc import Sequence

from tests.chaos.history import History


def a_succeeded_step_never_changes(history: History) -> Sequence[str]:
    """The output of a step is written once."""
    return [
        f"run {write.run_id}, step {write.key}: written over after its success, in write {write.id}"
        for write in history.writes
        if write.source == "step"
        and write.old_state == "succeeded"
        and (write.op == "D" or (write.state, write.digest) != (write.old_state, write.old_digest))
    ]


def a_finished_run_leaves_no_step_open(history: History) -> Sequence[str]:
    """What was under way when its run ended has an unknown outcome, and says so."""
    ended = {run.id: run.state for run in history.runs if run.state != "queued"}
    return [
        f"run {step.run_id} is {ended[step.run_id]} and its step {step.path} is still running"
        for step in history.steps
        if step.state == "running" and step.run_id in ended
    ]
