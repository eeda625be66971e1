"""How much checking a value against a schema can cost, counted before it is done."""

from __future__ import annotations

from collections import Counter
from typing import Final

from ordinaut_mcp.domain.json_schema_graph import SchemaGraph, Subschema

LEVELS: Final = 32
SATURATED: Final = 10**9


def widths_of(graph: SchemaGraph) -> list[int]:
    """How many subschemas one value can meet, by its depth below the root.

    An upper bound, but for plain references, which cost nothing; saturated. The last entry holds
    for all that is deeper.
    """
    widths: list[int] = []
    counts: Counter[int] = Counter({_key(graph.root): 1})
    while counts and len(widths) <= LEVELS:
        met = _spread(graph, counts)
        widths.append(min(sum(count for _, count in met), SATURATED))
        counts = _below(met)
    return widths


def _spread(graph: SchemaGraph, counts: Counter[int]) -> list[tuple[Subschema, int]]:
    """`counts` with all that is checked against the same value."""
    met: list[tuple[Subschema, int]] = []
    for subschema in graph.order:
        count = counts[id(subschema)]
        if count:
            met.append((subschema, count))
            for following in subschema.here:
                counts[id(following)] = min(counts[id(following)] + count, SATURATED)
    return met


def _below(met: list[tuple[Subschema, int]]) -> Counter[int]:
    """What a child can meet, be it in a list or an object: the most over all its names."""
    in_list: Counter[int] = Counter()
    elsewhere: Counter[int] = Counter()
    for subschema, count in met:
        for child in subschema.items:
            in_list[_key(child)] += count
        for child in subschema.members:
            elsewhere[_key(child)] += count
        if subschema.additional:
            elsewhere[_key(subschema.additional)] += count
    most = in_list | elsewhere
    for changes in _by_name(met).values():
        for key, change in changes.items():
            most[key] = max(most[key], elsewhere[key] + change)
    return +most


def _by_name(met: list[tuple[Subschema, int]]) -> dict[str, Counter[int]]:
    """For each name that a schema knows, what differs there from a name that none knows."""
    changes: dict[str, Counter[int]] = {}
    for subschema, count in met:
        for name, child in subschema.properties.items():
            own = changes.setdefault(name, Counter())
            own[_key(child)] += count
            if subschema.additional:
                own[_key(subschema.additional)] -= count
    return changes


def _key(subschema: Subschema) -> int:
    """What stands for it: where it only refers to another one, that one.

    Else two references to one schema, met under two names, would count as two schemas.
    """
    while len(subschema.here) == 1 and not (
        subschema.items or subschema.members or subschema.properties or subschema.additional
    ):
        subschema = subschema.here[0]
    return id(subschema)
