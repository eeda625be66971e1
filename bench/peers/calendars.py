"""Who computes the next occurrence: ours, dateutil, cronsim, croniter, APScheduler.

Each builder gives a question, or None: the peer has no such rule, takes minutes, or is not here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from ordinaut_mcp.domain.schedule import ScheduleRequest, compile_preview
from ordinaut_mcp.domain.zone import zone

ZONE: Final = "Europe/Chisinau"
NOW: Final = datetime(2026, 11, 22, 10, tzinfo=UTC)

Ask = Callable[[datetime], object]


def ours(expr: str, start_at: str | None) -> Ask:
    request = ScheduleRequest(expr=expr, timezone=ZONE, start_at=start_at)
    return compile_preview(request, after=NOW, now=NOW).next_after


def dateutil(expr: str, start_at: str | None) -> Ask | None:
    if start_at is None or expr.startswith("FREQ=SECONDLY"):
        return None  # replaying seconds takes it two minutes for each answer
    from dateutil.rrule import rrulestr

    rule = rrulestr(expr, dtstart=datetime.fromisoformat(start_at))
    tz = zone(ZONE)
    return lambda after: rule.after(after.astimezone(tz).replace(tzinfo=None))


def cronsim(expr: str, start_at: str | None) -> Ask | None:
    peer, tz = _cron_peer("cronsim", expr, start_at), zone(ZONE)
    return None if peer is None else lambda after: next(peer.CronSim(expr, after.astimezone(tz)))


def croniter(expr: str, start_at: str | None) -> Ask | None:
    peer, tz = _cron_peer("croniter", expr, start_at), zone(ZONE)
    if peer is None:
        return None
    return lambda after: peer.croniter(expr, after.astimezone(tz)).get_next(datetime)


def apscheduler(expr: str, start_at: str | None) -> Ask | None:
    peer = _cron_peer("apscheduler.triggers.cron", expr, start_at)
    if peer is None:
        return None
    ready = peer.CronTrigger.from_crontab(expr, timezone=zone(ZONE))
    return lambda after: ready.get_next_fire_time(None, after)


def _cron_peer(name: str, expr: str, start_at: str | None) -> Any:
    if start_at is not None or expr.startswith("every"):
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


PEERS: Final[dict[str, Callable[[str, str | None], Ask | None]]] = {
    "dateutil": dateutil,
    "cronsim": cronsim,
    "croniter": croniter,
    "apscheduler": apscheduler,
}
