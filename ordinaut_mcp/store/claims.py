"""Claims in PostgreSQL: which due runs a worker gets, and what it needs to execute them."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Lease,
    ProcessId,
    RunId,
    RunKind,
    StepRecord,
    TaskId,
)
from ordinaut_mcp.store import journal
from ordinaut_mcp.store.pool import Connection, rows

log = logging.getLogger(__name__)

KNOWN = 1000
"""So many definitions are kept: most runs are of tasks that ran before."""

# Raising `epoch` is what fences the former holder. What an older version queued says less.
_lease: Final[LiteralString] = """
    UPDATE ordinaut.due_work d
    SET state = 'running', attempt = d.attempt + 1, epoch = d.epoch + 1, needs_permit = false,
        process_id = %(process)s, lease_until = ordinaut.now() + %(lease_for)s,
        started_at = coalesce(d.started_at, ordinaut.now())
    FROM chosen
    WHERE d.run_id = ANY (ARRAY(SELECT run_id FROM chosen)) AND d.run_id = chosen.run_id
    RETURNING d.run_id, d.run_created_at, d.task_id, d.owner, d.attempt, d.failures, d.crashes,
              d.epoch, d.redrive, d.started_at, d.generation, d.kind, d.scheduled_for, d.params,
              chosen.place
"""
# What is due of one owner in one priority, or under one key. A serial run waits until every
# earlier unfinished run of its task has left the table, and for a later one that was begun while
# it was moved ahead. One that retries goes before
# what is only queued: it may hold the permit that the other waits for.
_is_due: Final[LiteralString] = """
    d.state IN ('queued', 'retrying') AND d.run_at <= ordinaut.now()
    AND NOT (d.serial AND EXISTS (
        SELECT FROM ordinaut.due_work e
        WHERE e.task_id = d.task_id
          AND (e.run_id > d.run_id AND e.serial
                  AND (e.state = 'running' OR e.state = 'retrying' AND d.state = 'queued')
               OR e.run_id < d.run_id
                  AND NOT (e.state = 'queued'
                           AND (e.run_at > ordinaut.now() OR d.state = 'retrying')))))
"""
# Owners take turns, beginning after the one that was served last. Within an owner the highest
# priority goes first, and each step of priority is worth so much waiting: nothing starves.
# SKIP LOCKED lets workers claim side by side.
CLAIM: Final[LiteralString] = (
    """
    WITH RECURSIVE walk AS (
        SELECT first.owner, first.owner AS first, 1 AS place
        FROM (SELECT coalesce(
                (SELECT min(owner) FROM ordinaut.due_work
                 WHERE state IN ('queued', 'retrying') AND NOT needs_permit AND owner > %(after)s),
                (SELECT min(owner) FROM ordinaut.due_work
                 WHERE state IN ('queued', 'retrying') AND NOT needs_permit)) AS owner) AS first
        WHERE first.owner IS NOT NULL
          AND NOT EXISTS (SELECT FROM ordinaut.setting WHERE name = 'paused')
        UNION ALL
        SELECT next.owner, walk.first, walk.place + 1
        FROM walk CROSS JOIN LATERAL (SELECT coalesce(
                (SELECT min(owner) FROM ordinaut.due_work
                 WHERE state IN ('queued', 'retrying') AND NOT needs_permit
                   AND owner > walk.owner),
                (SELECT min(owner) FROM ordinaut.due_work
                 WHERE state IN ('queued', 'retrying') AND NOT needs_permit)) AS owner) AS next
        WHERE next.owner <> walk.first
    ), owners AS MATERIALIZED (
        SELECT walk.owner, walk.place FROM walk
        WHERE EXISTS (
            SELECT FROM generate_series(1, 9) AS p (priority)
            CROSS JOIN LATERAL (
                SELECT FROM ordinaut.due_work d
                WHERE d.owner = walk.owner AND d.priority = p.priority AND NOT d.needs_permit
                  AND d.state IN ('queued', 'retrying') AND d.run_at <= ordinaut.now()
                ORDER BY d.run_at
                LIMIT 1
            ) AS overdue)
        LIMIT 50
    ), due AS (
        SELECT work.run_id, owners.place,
               row_number() OVER (PARTITION BY owners.place ORDER BY work.rank, work.run_id)
                   AS turn
        FROM owners
        CROSS JOIN generate_series(9, 1, -1) AS p (priority)
        CROSS JOIN LATERAL (
            SELECT d.run_id, d.run_at - d.priority * %(worth)s::interval AS rank
            FROM ordinaut.due_work d
            WHERE d.owner = owners.owner AND d.priority = p.priority AND NOT d.needs_permit AND"""
    + _is_due
    + """
            ORDER BY d.run_at, d.run_id
            LIMIT ceil(%(limit)s::float8 / (SELECT count(*) FROM owners))
            FOR UPDATE SKIP LOCKED
        ) AS work
    ), chosen AS (
        SELECT run_id, row_number() OVER (ORDER BY turn, place) AS place
        FROM due ORDER BY turn, place LIMIT %(limit)s
    )"""
    + _lease
)
# A place is taken together with the run that takes it: no count can be overshot. Keys take
# turns, the one that was served longest ago first.
CLAIM_LIMITED: Final[LiteralString] = (
    """
    WITH free AS (
        SELECT p.owner, p.key, p.place
        FROM ordinaut.permit p
        WHERE p.run_id IS NULL
          AND NOT EXISTS (SELECT FROM ordinaut.setting WHERE name = 'paused')
          AND EXISTS (
              SELECT FROM ordinaut.due_work d
              WHERE d.owner = p.owner AND d.concurrency_key = p.key AND d.needs_permit
                AND d.max_concurrent >= p.place AND"""
    + _is_due
    + """)
        ORDER BY p.freed_at
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ), keys AS (
        SELECT owner, key, array_agg(place ORDER BY place) AS places FROM free GROUP BY owner, key
    ), paired AS (
        SELECT keys.owner, keys.key, work.run_id, work.max_concurrent,
               keys.places[row_number() OVER (PARTITION BY keys.owner, keys.key
                                              ORDER BY work.rank, work.run_id)] AS place
        FROM keys
        CROSS JOIN LATERAL (
            SELECT d.run_id, d.max_concurrent, d.run_at - d.priority * %(worth)s::interval AS rank
            FROM ordinaut.due_work d
            WHERE d.owner = keys.owner AND d.concurrency_key = keys.key AND d.needs_permit
              AND d.max_concurrent >= keys.places[1] AND"""
    + _is_due
    + """
            ORDER BY rank, d.run_id
            LIMIT cardinality(keys.places)
            FOR UPDATE SKIP LOCKED
        ) AS work
    ), chosen AS (
        SELECT * FROM paired WHERE place <= max_concurrent
    ), taken AS (
        UPDATE ordinaut.permit p SET run_id = chosen.run_id
        FROM chosen
        WHERE p.owner = chosen.owner AND p.key = chosen.key AND p.place = chosen.place
    )"""
    + _lease
)
DEFINITIONS: Final[LiteralString] = """
    SELECT v.task_id, v.generation, t.key, v.definition
    FROM unnest(%(tasks)s::bigint[], %(generations)s::int[]) AS w (task_id, generation)
    JOIN ordinaut.task_revision v ON v.task_id = w.task_id AND v.generation = w.generation
    JOIN ordinaut.task t ON t.id = v.task_id
"""
# What an older version queued says less: the run itself knows the rest.
OLDER: Final[LiteralString] = """
    SELECT r.id, r.generation, r.kind, r.scheduled_for, r.params
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS c (id, created_at)
    JOIN ordinaut.run r ON r.id = c.id AND r.created_at = c.created_at
"""
# What has been due for longer was not claimed for a reason: it waits for an earlier run of its
# task, or for a permit. It must not hide what is due next.
NEXT: Final[LiteralString] = """
    SELECT min(first.run_at) - ordinaut.now() AS wait
    FROM (VALUES ('queued'), ('retrying')) AS s (state)
    CROSS JOIN LATERAL (
        SELECT d.run_at FROM ordinaut.due_work d
        WHERE d.state = s.state AND d.state IN ('queued', 'retrying')
          AND d.run_at > ordinaut.now() - interval '1 second'
        ORDER BY d.run_at
        LIMIT 1
    ) AS first
    WHERE NOT EXISTS (SELECT FROM ordinaut.setting WHERE name = 'paused')
"""

WORTH = timedelta(minutes=5)
"""What one step of priority is worth in waiting."""


class Claims:
    """Claims runs, and remembers the definitions that it has seen."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], DictRow] = OrderedDict()
        self._after = ""

    async def claim(
        self, connection: Connection, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        """Lease up to `limit` due runs, each statement for itself."""
        parameters = {
            "process": process,
            "limit": limit,
            "lease_for": lease_for,
            "after": self._after,
            "worth": WORTH,
        }
        found = await rows(connection, CLAIM_LIMITED, parameters)
        if len(found) < limit:
            free = await rows(connection, CLAIM, {**parameters, "limit": limit - len(found)})
            free.sort(key=lambda one: one["place"])
            self._after = free[-1]["owner"] if free else self._after
            found += free
        return await self._loaded(connection, found) if found else ()

    async def _loaded(
        self, connection: Connection, found: Sequence[DictRow]
    ) -> Sequence[ClaimedRun]:
        await _complete(connection, [one for one in found if one["generation"] is None])
        await self._learn(connection, found)
        again = [one for one in found if one["epoch"] > 1]
        journals = await journal.read(connection, again) if again else {}
        loaded: list[ClaimedRun] = []
        for one in found:
            known = self._known.get((one["task_id"], one["generation"]))
            if known is None:
                # Nobody can execute it; the reaper buries it when its lease expired often enough.
                log.error("run_%d has no definition: it is left to the reaper", one["run_id"])
                continue
            loaded.append(_claimed(one, known, journals.get(one["run_id"], {})))
        self._forget()
        return loaded

    async def _learn(self, connection: Connection, found: Sequence[DictRow]) -> None:
        wanted = {(one["task_id"], one["generation"]) for one in found} - self._known.keys()
        if not wanted:
            return
        parameters = {
            "tasks": [task for task, _ in wanted],
            "generations": [generation for _, generation in wanted],
        }
        for one in await rows(connection, DEFINITIONS, parameters):
            self._known[one["task_id"], one["generation"]] = one

    def _forget(self) -> None:
        while len(self._known) > KNOWN:
            self._known.popitem(last=False)


async def _complete(connection: Connection, older: Sequence[DictRow]) -> None:
    if not older:
        return
    which = {
        "ids": [one["run_id"] for one in older],
        "created": [one["run_created_at"] for one in older],
    }
    details = {one["id"]: one for one in await rows(connection, OLDER, which)}
    for one in older:
        one.update({**details.get(one["run_id"], {}), "id": None})


def _claimed(
    found: DictRow, known: Mapping[str, Any], steps: Mapping[str, StepRecord]
) -> ClaimedRun:
    return ClaimedRun(
        lease=Lease(
            run_id=RunId(found["run_id"]), created_at=found["run_created_at"], epoch=found["epoch"]
        ),
        task_id=TaskId(found["task_id"]),
        generation=found["generation"],
        task_key=known["key"],
        owner=found["owner"],
        kind=RunKind(found["kind"]),
        attempt=found["attempt"],
        failures=found["failures"],
        crashes=found["crashes"],
        redrive=found["redrive"],
        scheduled_for=found["scheduled_for"],
        started_at=found["started_at"],
        definition=known["definition"],
        params=found["params"] or {},
        journal=steps,
    )
