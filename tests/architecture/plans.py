"""How PostgreSQL carries a statement out: prepared, as psycopg prepares it, and rolled back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

Mode = Literal["force_custom_plan", "force_generic_plan"]
MODES: tuple[Mode, ...] = ("force_custom_plan", "force_generic_plan")


@dataclass(frozen=True, slots=True)
class Plan:
    """The nodes of a plan that was carried out."""

    nodes: tuple[dict[str, Any], ...]

    def indexes(self, table: str) -> set[str | None]:
        """Which indexes a table is read by; None: it is read from one end to the other."""
        found: set[str | None] = set()
        for node in self.nodes:
            if node.get("Relation Name") == table and node["Node Type"] != "ModifyTable":
                below = (child for child in nodes(node) if "Index Name" in child)
                found.add(next((child["Index Name"] for child in below), None))
        return found

    def touched(self, prefix: str) -> set[tuple[str, str]]:
        """Which of the tables with this prefix were read at all, and how."""
        return {
            (node["Relation Name"], node["Node Type"])
            for node in self.nodes
            if node.get("Relation Name", "").startswith(prefix)
            and node["Node Type"] != "ModifyTable"
            and node["Actual Loops"]
        }

    def most_sorted(self) -> int:
        """The most rows that any one sort was given."""
        sorts = [node for node in self.nodes if "Sort" in node["Node Type"]]
        return round(max((node["Plans"][0]["Actual Rows"] for node in sorts), default=0))

    @property
    def result(self) -> int:
        """How many rows the statement gave."""
        return round(self.nodes[0]["Actual Rows"])


def carried_out(
    connection: psycopg.Connection[TupleRow],
    statement: str,
    parameters: Mapping[str, Any],
    *,
    mode: Mode,
) -> Plan:
    """Prepare and execute inside the caller's transaction; how it went."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    text = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", statement)
    values = sql.SQL(", ").join(sql.Literal(parameters[name]) for name in names)
    given = sql.SQL("({})").format(values) if names else sql.SQL("")
    connection.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
    connection.execute(f"PREPARE planned AS {text}".encode())
    try:
        found = connection.execute(
            sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE planned {}").format(given)
        ).fetchone()
    finally:
        connection.execute("DEALLOCATE planned")
    assert found is not None
    return Plan(tuple(nodes(found[0][0]["Plan"])))


def nodes(plan: Any) -> list[dict[str, Any]]:
    """All nodes of a plan, the topmost first."""
    return [plan, *(node for child in plan.get("Plans", ()) for node in nodes(child))]
