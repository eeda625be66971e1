"""Arguments that several tools take, described once for the model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

TaskRef = Annotated[str, Field(description="The task: its id (task_12) or its own key.")]
RunRef = Annotated[str, Field(description="The run's id (run_345), as list_runs says.")]
Title = Annotated[str, Field(max_length=200, description="A short name that a person recognises.")]
Expr = Annotated[
    str,
    Field(
        min_length=1,
        # RDATE and EXDATE lines may be many; the rule itself is held to less by its grammar.
        max_length=20_000,
        description="When. 'in 20 minutes' or '20m' (from now; never compute dates yourself) ·"
        " '2026-12-24T18:00' (once, local) · 'every 15m' · cron '0 8 * * 1-5' (0 and 7 are Sunday)"
        " · RRULE 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0'.",
    ),
]
Kind = Annotated[
    str,
    Field(
        max_length=40,
        description="auto (recognises the expression), in, once, interval, cron, rrule.",
    ),
]
Zone = Annotated[
    str | None,
    Field(
        max_length=100,
        description="IANA zone such as Europe/Chisinau; default: get_status says which.",
    ),
]
StartAt = Annotated[
    str | None,
    Field(
        max_length=40,
        description="The anchor, local time in the zone: 2026-12-01T09:00. It fixes the phase of"
        " intervals and rules. Default: midnight of today; for intervals, now.",
    ),
]
EndAt = Annotated[
    str | None,
    Field(max_length=40, description="The last instant that may fire, inclusive, local."),
]
Exclude = Annotated[
    list[str] | None,
    Field(
        max_length=1000,
        description="Local dates (2026-12-25) or times (2026-12-25T09:00) that are skipped.",
    ),
]
ExcludeCalendar = Annotated[
    str | None,
    Field(
        max_length=20,
        description="A calendar whose holidays are skipped: a country (MD), a part of one (US-CA),"
        " or an exchange (XNYS).",
    ),
]
Gap = Annotated[
    Literal["shift", "omit"] | None,
    Field(
        description="A local time that a clock change skips: shift (default) runs it right after,"
        " omit leaves it out."
    ),
]
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=50)]] | None,
    Field(max_length=20, description="Words to find it by in list_tasks."),
]
Pipeline = Annotated[
    list[dict[str, Any]] | None,
    Field(
        max_length=50,
        description='Steps in order: {"id": "w", "uses": "SERVER.TOOL", "with": {…}, "save_as"?,'
        ' "if"?, "verify"?, "timeout_seconds"?, "retry"?, "on_error"?}. Templates: ${params.x},'
        " ${steps.w.field}, ${now}, ${now+24h}. list_pipeline_tools says what may be used.",
    ),
]
Params = Annotated[
    dict[str, Any] | None, Field(description="Values that templates reach as ${params.NAME}.")
]
Payload = Annotated[
    dict[str, Any] | None,
    Field(description='The same as {"pipeline": […], "params": {…}}; give one of the two forms.'),
]
Key = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=200,
        description="Your own unique name for it. Scheduling again with this key changes that task"
        " instead of making a second one. Always give one when you might repeat the call.",
    ),
]
Limit = Annotated[int, Field(ge=1, le=200, description="At most so many.")]
Cursor = Annotated[
    str | None,
    Field(max_length=512, description="next_cursor of the last answer, for the next page."),
]
Seconds = Annotated[float | None, Field(ge=0, le=315_360_000)]
BackoffRule = Annotated[
    Literal["exponential_jitter", "exponential", "fixed"] | dict[str, Any] | None,
    Field(
        description="Rests between attempts: exponential_jitter (default), exponential, fixed; or"
        ' {"strategy", "base_seconds", "max_seconds"}. Default 1 s to 300 s.'
    ),
]
