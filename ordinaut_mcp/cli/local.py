"""`up`, `down`, `status`, `runtime`: the local runtime, and production processes."""

from __future__ import annotations

from typing import Annotated, Any

import anyio
import typer

from ordinaut_mcp import logs
from ordinaut_mcp.cli.output import Json, data, say
from ordinaut_mcp.config import Settings, load_settings, pin_environment
from ordinaut_mcp.errors import Unavailable


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay in this terminal; Ctrl-C stops it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start the local runtime (idempotent); it stays when this terminal is closed."""
    from ordinaut_mcp.app import local

    settings = load_settings()
    if foreground:
        logs.canonical(settings.log_level)
        if not local.run_in_foreground(settings):
            say("The local runtime is already up.")
        return
    local.find_or_start(settings)
    facts = _facts(settings)
    data(facts, _sentence(facts), as_json=as_json)


def down(
    seconds: Annotated[float, typer.Option(help="Wait so long for runs under way.")] = 60,
) -> None:
    """Stop the local runtime; runs under way may finish, the others stay for the next start."""
    from ordinaut_mcp.embedded.home import Home
    from ordinaut_mcp.embedded.launcher import stop_leftovers, stop_runtime

    home = Home(load_settings().home)
    if stop_runtime(home, seconds=seconds):
        say("The local runtime is stopped.")
        return
    left = stop_leftovers(home)
    what = f"; stopped what it had left behind: {', '.join(left)}" if left else ""
    say(f"The local runtime was not running{what}.")


def status(as_json: Json = False) -> None:
    """Look at the local runtime; exits with 4 when it is not running."""
    facts = _facts(load_settings())
    data(facts, _sentence(facts), as_json=as_json)
    if not facts["running"]:
        raise typer.Exit(4)


def runtime(
    roles: Annotated[
        str, typer.Option(help="Comma-separated: scheduler, worker, reaper, janitor, relay.")
    ],
) -> None:
    """Run one production process with some of the roles, until it is told to stop."""
    from ordinaut_mcp.app.asking import database_url
    from ordinaut_mcp.app.process import RuntimeProcess, checked_roles, run_until_told
    from ordinaut_mcp.store.migrate import schema_state

    settings = load_settings()
    wanted = checked_roles([role.strip() for role in roles.split(",") if role.strip()])
    url = database_url(settings)
    if problem := schema_state(url).problem:
        raise Unavailable(problem, hint="Run `ordinaut-mcp migrate` first.")
    logs.canonical(settings.log_level)
    settings.home.mkdir(parents=True, exist_ok=True)
    pin_environment(settings)

    async def live() -> None:
        await run_until_told(
            RuntimeProcess(settings, url, wanted),
            on_ready=lambda: say(f"Running as {', '.join(wanted)}."),
        )

    anyio.run(live)


def _facts(settings: Settings) -> dict[str, Any]:
    from ordinaut_mcp.app import local
    from ordinaut_mcp.domain.zone import TZDATA_VERSION

    found = local.found(settings)
    return {
        "running": found is not None and found.state == "ready",
        "state": found.state if found else "stopped",
        "pid": found.pid if found else None,
        "home": str(settings.home),
        "http_url": found.http_url if found else None,
        "database_url": found.database_url if found else None,
        "redis_url": found.redis_url if found else None,
        "roles": list(found.roles) if found else [],
        "version": found.version if found else None,
        "tzdata": found.tzdata if found else TZDATA_VERSION,
        "started_at": found.started_at.isoformat() if found else None,
        "paused": _pause(settings) if found is not None and found.state == "ready" else None,
    }


def _pause(settings: Settings) -> dict[str, Any] | None:
    """Who paused everything, since when and why; None also where the database does not answer."""
    from ordinaut_mcp.app.asking import ask
    from ordinaut_mcp.domain.instant import local_text

    try:
        pause = ask(settings, lambda services, _: services.controls.paused())
    except Unavailable:
        return None
    if pause is None:
        return None
    since = local_text(pause.since, settings.zone_name)
    return {"by": pause.by, "since": since, "note": pause.note}


def _sentence(facts: dict[str, Any]) -> str:
    if facts["pid"] is None:
        return f"The local runtime of {facts['home']} is not running; `ordinaut-mcp up` starts it."
    roles, pause = ", ".join(facts["roles"]), facts["paused"]
    why = f": {pause['note']}" if pause and pause["note"] else ""
    paused = f"PAUSED since {pause['since']} by '{pause['by']}'{why}\n" if pause else ""
    return (
        f"{paused}Ordinaut {facts['version']} is {facts['state']} (process {facts['pid']}, since"
        f" {facts['started_at']}): {roles}.\nHome {facts['home']}, tzdata {facts['tzdata']}."
    )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, runtime):
        app.command()(command)
