"""Evaluates a parsed expression in bounded time and memory, and tells missing from null.

Built on the interpreter of the jmespath library. Three things differ from it on purpose:
each step and each piece of text that is made costs from a budget; `1 == true` is false also
inside lists; and a comparison with something that is missing is false (except against a
literal null, where missing and null are the same; inside a filter JMESPath's own rule holds).
Texts that are instants with an offset are ordered by time, not by their letters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Final, cast

from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from ordinaut_mcp.domain import moment
from ordinaut_mcp.domain.clean import json_size
from ordinaut_mcp.domain.nearest import did_you_mean

BUDGET: Final = 200_000
"""Steps of one evaluation: nodes visited, items and (by eight) characters made."""
LONGEST_TEXT: Final = 1024 * 1024
"""Bytes of any one text that an expression builds on its way."""

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_KEEPS_MISSING: Final = frozenset(
    {"field", "index", "subexpression", "index_expression", "pipe"}
    | {"or_expression", "and_expression", "current", "identity"}
)
_NONE_IS_MISSING: Final = frozenset(
    {"projection", "value_projection", "filter_projection", "flatten", "slice"}
    | {"multi_select_list", "multi_select_dict"}
)


class ExpressionFault(ValueError):
    """An expression failed on these values; the text says why."""


@dataclass(frozen=True, slots=True)
class Missing:
    """The result of a path that leads nowhere; `why` is a sentence without its subject."""

    why: str


@dataclass(slots=True)
class Budget:
    """What one evaluation may still cost."""

    left: int = field(default=BUDGET)

    def spend(self, cost: int) -> None:
        """Raises: ExpressionFault: more was spent than there was."""
        self.left -= cost
        if self.left < 0:
            raise ExpressionFault("costs too much: it takes or makes too many values")


def same(left: object, right: object, spend: Callable[[int], None]) -> bool:
    """Equal as JSON: numbers by value, a boolean is no number, objects without order."""
    spend(1)
    if isinstance(left, list) and isinstance(right, list):
        ours, theirs = cast("list[object]", left), cast("list[object]", right)
        return len(ours) == len(theirs) and all(
            same(one, other, spend) for one, other in zip(ours, theirs, strict=True)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        here, there = cast("dict[str, object]", left), cast("dict[str, object]", right)
        return here.keys() == there.keys() and all(
            same(here[key], there[key], spend) for key in here
        )
    return isinstance(left, bool) == isinstance(right, bool) and left == right


class _Known(Functions):
    """The standard functions where they are safe, ours where they are not, and two for time."""

    def __init__(self, budget: Budget, zone: tzinfo) -> None:
        self._budget = budget
        self._zone = zone

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        result: Any = super().call_function(function_name, resolved_args)
        if isinstance(result, (str, list, dict)):
            made = len(cast("str | list[Any]", result))
            self._budget.spend(made // 8 if isinstance(result, str) else made)
        return cast("Any", result)

    @signature({"types": ["array", "string"]}, {"types": []})
    def _func_contains(self, subject: list[Any] | str, search: object) -> bool:
        if isinstance(subject, str):
            return isinstance(search, str) and search in subject
        return any(same(item, search, self._budget.spend) for item in subject)

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, texts: list[str]) -> str:
        if sum(map(len, texts)) + len(separator) * len(texts) > LONGEST_TEXT:
            raise ExpressionFault("makes a text of more than 1 MiB")
        return separator.join(texts)

    @signature({"types": []})
    def _func_to_string(self, value: object) -> str:
        if isinstance(value, str):
            return value
        if json_size(value, LONGEST_TEXT) > LONGEST_TEXT:
            raise ExpressionFault("makes a text of more than 1 MiB")
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    @signature({"types": []})
    def _func_to_number(self, value: object) -> float | None:
        if _is_number(value):
            return cast("float", value)
        if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
            return cast("float", json.loads(value))
        return None

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_date(self, value: str, pattern: str) -> str:
        problem = moment.format_problem(pattern)
        if problem:
            raise ExpressionFault(f"the format of date() {problem}")
        return moment.read(value, self._zone).strftime(pattern)

    @signature({"types": ["string"]}, {"types": ["string"]})
    def _func_shift(self, value: str, span: str) -> str:
        moved = moment.shift(moment.read(value, self._zone), span, self._zone)
        return moment.in_words(moved, self._zone)


class _Interpreter(TreeInterpreter):
    """`missed` tells of the last value that was visited whether it was missing."""

    def __init__(self, budget: Budget, zone: tzinfo) -> None:
        known = _Known(budget, zone)
        super().__init__(Options(custom_functions=known))
        self._known = known
        self._budget = budget
        self._filters = 0
        self.missed = False
        self.why = "has no value"

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._budget.spend(1)
        result = super().visit(node, *args, **kwargs)
        kind = node["type"]
        if kind in _NONE_IS_MISSING:
            self.missed = result is None
        elif kind not in _KEEPS_MISSING or result is not None:
            self.missed = False
        return result

    def visit_field(self, node: Any, value: Any) -> Any:
        name: str = node["value"]
        if isinstance(value, dict) and name in value:
            self.missed = False
            return cast("dict[str, Any]", value)[name]
        self._miss(f"there is no '{name}'", name, value)
        return None

    def visit_index(self, node: Any, value: Any) -> Any:
        at: int = node["value"]
        if isinstance(value, list):
            items = cast("list[Any]", value)
            if -len(items) <= at < len(items):
                self.missed = False
                return items[at]
        self._miss(f"there is no item [{at}]", "", value)
        return None

    def _miss(self, why: str, name: str, value: Any) -> None:
        """Only the first hole of a path is told of; what follows falls through it."""
        if not (self.missed and value is None):
            names = cast("dict[str, Any]", value) if isinstance(value, dict) else ()
            self.why = why + did_you_mean(name, names)
        self.missed = True

    def visit_flatten(self, node: Any, value: Any) -> Any:
        return self._charged(super().visit_flatten(node, value))

    def visit_slice(self, node: Any, value: Any) -> Any:
        return self._charged(super().visit_slice(node, value))

    def _charged(self, items: Any) -> Any:
        self._budget.spend(len(items) if items is not None else 0)
        return items

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        arguments = [self.visit(child, value) for child in node["children"]]
        if node["value"] == "date" and len(arguments) == 1:
            arguments.insert(0, value)
        return self._known.call_function(node["value"], arguments)

    def visit_filter_projection(self, node: Any, value: Any) -> Any:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        self._filters += 1
        kept = [
            element
            for element in cast("list[Any]", base)
            if holds(self.visit(node["children"][2], element))
        ]
        self._filters -= 1
        found = (self.visit(node["children"][1], element) for element in kept)
        return [element for element in found if element is not None]

    def visit_comparator(self, node: Any, value: Any) -> bool | None:
        left_node, right_node = node["children"]
        left = self.visit(left_node, value)
        missing = self.missed
        right = self.visit(right_node, value)
        missing = (missing or self.missed) and not self._filters
        if node["value"] not in self._EQUALITY:
            return _ordered(node["value"], left, right)
        if missing and not (_is_null(left_node) or _is_null(right_node)):
            return False
        return same(left, right, self._budget.spend) == (node["value"] == "eq")

    _EQUALITY: Final = frozenset({"eq", "ne"})


def _is_null(node: Any) -> bool:
    return node["type"] == "literal" and node["value"] is None


def _ordered(sign: str, left: Any, right: Any) -> bool | None:
    """Numbers with numbers, texts with texts (instants by time); nothing else has an order."""
    compare: Callable[[Any, Any], bool] = TreeInterpreter.COMPARATOR_FUNC[sign]
    if isinstance(left, str) and isinstance(right, str):
        first, second = moment.instant_or_none(left), moment.instant_or_none(right)
        return compare(first, second) if first and second else compare(left, right)
    if _is_number(left) and _is_number(right):
        return compare(left, right)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def holds(value: object) -> bool:
    """JMESPath's truth: null, false, and empty texts, lists and objects are false; 0 is true."""
    return not (value is None or value is False or value in ("", [], {}))


def evaluate(tree: Any, context: dict[str, Any], zone: tzinfo) -> Any:
    """The value of the tree over `context`, or `Missing`.

    Raises:
        ExpressionFault: a wrong type in a function, a slice by 0, an instant that is none,
            or more cost than `BUDGET`.
    """
    interpreter = _Interpreter(Budget(), zone)
    try:
        value = interpreter.visit(tree, context)
    except ExpressionFault:
        raise
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ExpressionFault(_in_words(error)) from error
    return Missing(interpreter.why) if interpreter.missed else value


def _in_words(error: Exception) -> str:
    """The library's own sentence, cut: it repeats the value, which may be large or private."""
    kind = getattr(error, "actual_type", None)
    if kind is not None:
        wanted = " or ".join(getattr(error, "expected_types", ()))
        return f"{getattr(error, 'function_name', '?')}() takes {wanted}, not {kind}"
    return str(error)[:200] or type(error).__name__
