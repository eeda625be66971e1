"""What an expression refers to and how much it can cost, told from its tree alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from jmespath.functions import Functions

from ordinaut_mcp.domain.moment import format_problem
from ordinaut_mcp.domain.nearest import did_you_mean

DEEPEST: Final = 32
MOST_NODES: Final = 256
MOST_COPIES: Final = 256
"""How often one input may be copied into the output: `[@,@]` twice, eight of them 256 times."""

_TO_ONE: Final = frozenset(
    {"abs", "avg", "ceil", "contains", "date", "ends_with", "floor", "length", "max", "min"}
    | {"shift", "starts_with", "sum", "to_number", "type", "max_by", "min_by"}
)
_TAKES_EXPREF: Final = frozenset({"map", "max_by", "min_by", "sort_by"})
_LATER_IN_ANOTHER_SCOPE: Final = frozenset(
    {"subexpression", "index_expression", "pipe", "projection", "value_projection"}
    | {"filter_projection"}
)
_TIGHTER_THAN_NOT: Final = (_LATER_IN_ANOTHER_SCOPE - {"pipe"}) | {"flatten"}
_LEAVES: Final = frozenset({"field", "current", "identity", "literal", "index", "slice"})
_PATHS: Final = frozenset({"field", "subexpression", "index_expression", "index"})


class TooComplex(ValueError):
    """The expression is too deep, too long, or multiplies what it is given."""


class Malformed(ValueError):
    """It parses but means nothing: an unknown function, or one with too few arguments."""


def not_outside(node: Any) -> Any:
    """The tree with `!a.b` as not (a.b); the library reads (not a).b, which nobody means."""
    if node["type"] in _LEAVES:
        return node
    first, *rest = [not_outside(child) for child in node["children"]] or [None]
    if node["type"] in _TIGHTER_THAN_NOT and first["type"] == "not_expression":
        path = {**node, "children": [*first["children"], *rest]}
        return {**first, "children": [not_outside(path)]}
    return {**node, "children": [] if first is None else [first, *rest]}


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """`steps.weather`, or `now` (no name), or all of a root; root `@` is the whole context."""

    root: str
    name: str | None = None

    def __str__(self) -> str:
        return self.root if self.name is None else f"{self.root}.{self.name}"


@dataclass(slots=True)
class Survey:
    """What a walk over the tree found; `builds` is false where it only follows a path."""

    references: set[Reference] = field(default_factory=set[Reference])
    builds: bool = False
    nodes: int = 0

    def take(self, node: Any, depth: int = 1, *, at_root: bool = True) -> int:
        """Walk `node`; the result is how often it can copy its input into its output.

        Raises:
            TooComplex: a bound is passed.
            Malformed: a function is unknown or wrongly called.
        """
        self._count(node, depth)
        kind: str = node["type"]
        if kind in _LEAVES:
            self._take_leaf(node, at_root=at_root)
            return 1
        if kind == "function_expression":
            _check_call(node)
        copies = self._take_children(node, depth, at_root=at_root)
        most = _combined(node, copies)
        if most > MOST_COPIES:
            raise TooComplex("it multiplies what it is given")
        return most

    def _count(self, node: Any, depth: int) -> None:
        self.nodes += 1
        self.builds = self.builds or node["type"] not in _PATHS
        if depth > DEEPEST or self.nodes > MOST_NODES:
            raise TooComplex(f"it has more than {MOST_NODES} parts or {DEEPEST} levels")

    def _take_leaf(self, node: Any, *, at_root: bool) -> None:
        if at_root and node["type"] == "field":
            self.references.add(Reference(node["value"]))
        elif at_root and node["type"] in {"current", "identity"}:
            self.references.add(Reference("@"))

    def _take_children(self, node: Any, depth: int, *, at_root: bool) -> list[int]:
        children: list[Any] = node["children"]
        same_scope = node["type"] not in _LATER_IN_ANOTHER_SCOPE
        inside = at_root and node["type"] != "expref"
        named = inside and self._take_named(node)
        return [
            self.take(child, depth + 1, at_root=inside and not named and (same_scope or at == 0))
            for at, child in enumerate(children)
        ]

    def _take_named(self, node: Any) -> bool:
        """`steps.weather…` is one reference, not two."""
        if node["type"] != "subexpression":
            return False
        first, second, *_ = node["children"]
        if first["type"] != "field":
            return False
        # `.events[0]` binds before the dot: the name lies leftmost in what follows it.
        while second["type"] in _LATER_IN_ANOTHER_SCOPE:
            second = second["children"][0]
        name = second["value"] if second["type"] == "field" else None
        self.references.add(Reference(first["value"], name))
        return True


def _combined(node: Any, copies: list[int]) -> int:
    kind: str = node["type"]
    if kind in _LATER_IN_ANOTHER_SCOPE:
        return math.prod(copies[:2]) if kind == "filter_projection" else math.prod(copies)
    if kind in {"comparator", "not_expression"}:
        return 1
    if kind == "function_expression":
        return _by_function(node["value"], copies)
    if kind in {"or_expression", "and_expression"}:
        return max(copies)
    return sum(copies)


def _by_function(name: str, copies: list[int]) -> int:
    if name in _TO_ONE:
        return 1
    return math.prod(copies) if name == "map" else max(sum(copies), 1)


@cache
def _arities() -> dict[str, tuple[int, bool]]:
    """Every function by name: how many arguments it takes, and whether more may follow."""
    known: dict[str, tuple[int, bool]] = {
        name: (len(entry["signature"]), bool(entry["signature"][-1].get("variadic")))
        for name, entry in Functions.FUNCTION_TABLE.items()
    }
    return known | {"date": (1, True), "shift": (2, False)}


def _check_call(node: Any) -> None:
    name: str = node["value"]
    arguments: list[Any] = node["children"]
    if name not in _arities():
        raise Malformed(f"there is no function {name}(){did_you_mean(name, _arities())}")
    needed, more = _arities()[name]
    if len(arguments) < needed or (len(arguments) > needed and not more):
        raise Malformed(f"{name}() takes {needed} argument(s), not {len(arguments)}")
    for argument in arguments:
        if argument["type"] == "expref" and name not in _TAKES_EXPREF:
            raise Malformed(f"{name}() does not take an expression (&…)")
    _check_format(name, arguments)


def _check_format(name: str, arguments: list[Any]) -> None:
    """A date format is nearly always a literal: its faults need not wait for the run."""
    last = arguments[-1] if arguments else {"type": ""}
    if name == "date" and last["type"] == "literal" and isinstance(last["value"], str):
        problem = format_problem(last["value"])
        if problem:
            raise Malformed(f"the format of date() {problem}")
