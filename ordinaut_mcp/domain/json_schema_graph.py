"""A JSON Schema as a graph: its subschemas, and where its references lead.

Nothing is ever fetched: a reference that does not resolve inside the document is an error.
The keywords are those of JSON Schema 2020-12 (core and applicator vocabularies) and of
draft-07, together; a keyword that a dialect does not know is harmless here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import unquote, urldefrag, urljoin

from ordinaut_mcp.errors import InvalidInput

MOST_SUBSCHEMAS: Final = 1_000
MOST_REFERENCES: Final = 256

_EDGES: Final = {
    **dict.fromkeys(("allOf", "anyOf", "oneOf", "not", "if", "then", "else"), "here"),
    **dict.fromkeys(("dependentSchemas", "dependencies"), "here"),
    **dict.fromkeys(("items", "prefixItems", "additionalItems", "unevaluatedItems"), "item"),
    "contains": "item",
    **dict.fromkeys(("propertyNames", "patternProperties", "unevaluatedProperties"), "member"),
    "additionalProperties": "additional",
    **dict.fromkeys(("$defs", "definitions"), "elsewhere"),
}
"""`here`: checked against the same value; `item` and `member`: against what a list or an object
holds; `elsewhere`: only where a reference leads to it."""
_BY_NAME: Final = frozenset(
    {"dependentSchemas", "dependencies", "patternProperties", "$defs", "definitions"}
)

Node = dict[str, Any]


@dataclass(slots=True, eq=False)
class Subschema:
    """One schema object and what hangs on it, by the edges above."""

    node: Node
    base: str
    here: list[Subschema] = field(default_factory=list["Subschema"])
    items: list[Subschema] = field(default_factory=list["Subschema"])
    members: list[Subschema] = field(default_factory=list["Subschema"])
    properties: dict[str, Subschema] = field(default_factory=dict[str, "Subschema"])
    additional: Subschema | None = None


class SchemaGraph:
    """Every subschema of one document, its references resolved.

    Raises:
        InvalidInput: too_complex, external_ref, or invalid_schema for a reference that leads
            nowhere or round in a circle without going deeper into the value.
    """

    def __init__(self, schema: Node, *, field: str) -> None:
        self._field = field
        self._known: dict[int, Subschema] = {}
        self._resources: dict[str, Node] = {"": schema}
        self._anchors: dict[tuple[str, str], Node] = {}
        self._dynamic: dict[str, list[Node]] = {}
        self._references: list[tuple[Subschema, str]] = []
        self._expanded: set[int] = set()
        self.root = self._walk(schema, "")
        self._resolve_all()
        self.order = self._without_circles()
        """All subschemas; whatever is checked against the same value comes later."""

    @property
    def subschemas(self) -> list[Subschema]:
        """All of them, each once."""
        return list(self._known.values())

    def _walk(self, node: Node, base: str) -> Subschema:
        """Take in `node` and all below it that is not known yet."""
        first = self._take(node, base)
        rest = [first]
        while rest:
            here = rest.pop()
            if id(here) in self._expanded:
                continue
            self._expanded.add(id(here))
            for edge, child in _children(here.node):
                if isinstance(child, dict):
                    taken = self._take(cast("Node", child), here.base)
                    _connect(here, edge, taken)
                    rest.append(taken)
        return first

    def _take(self, node: Node, base: str) -> Subschema:
        known = self._known.get(id(node))
        if known:
            return known
        if len(self._known) >= MOST_SUBSCHEMAS:
            raise self._too_complex(f"it has more than {MOST_SUBSCHEMAS} subschemas")
        base = self._name(node, base)
        taken = Subschema(node, base)
        self._known[id(node)] = taken
        for key in ("$ref", "$dynamicRef"):
            if isinstance(node.get(key), str):
                self._references.append((taken, key))
        if len(self._references) > MOST_REFERENCES:
            raise self._too_complex(f"it has more than {MOST_REFERENCES} references")
        return taken

    def _name(self, node: Node, base: str) -> str:
        """Remember what `node` can be called by; the result is the base of its references."""
        own = node.get("$id")
        if isinstance(own, str):
            target, fragment = self._joined(base, own)
            if fragment:
                self._anchors[target, fragment] = node
            else:
                base = target
                self._resources[base] = node
        for key in ("$anchor", "$dynamicAnchor"):
            if isinstance(node.get(key), str):
                self._anchors[base, node[key]] = node
        if isinstance(node.get("$dynamicAnchor"), str):
            self._dynamic.setdefault(node["$dynamicAnchor"], []).append(node)
        return base

    def _joined(self, base: str, reference: str) -> tuple[str, str]:
        try:
            # urljoin gives up on schemes that it does not know, such as urn:
            whole = base + reference if reference.startswith("#") else urljoin(base, reference)
            target, fragment = urldefrag(whole)
        except ValueError as error:
            raise self._external(reference) from error
        return target, unquote(fragment)

    def _resolve_all(self) -> None:
        """Targets may bring references of their own; the list grows while it is read."""
        at = 0
        while at < len(self._references):
            source, key = self._references[at]
            at += 1
            reference: str = source.node[key]
            source.here.append(self._resolved(source, reference))
            if key == "$dynamicRef":
                name = reference.rpartition("#")[2]
                others = [self._walk(node, "") for node in self._dynamic.get(name, ())]
                source.here.extend(other for other in others if other not in source.here)

    def _resolved(self, source: Subschema, reference: str) -> Subschema:
        target, fragment = self._joined(source.base, reference)
        if target not in self._resources:
            raise self._external(reference)
        resource = self._resources[target]
        if not fragment:
            return self._walk(resource, target)
        if fragment.startswith("/"):
            found: object = _pointed(resource, fragment)
        else:
            found = self._anchors.get((target, fragment))
        if isinstance(found, bool):
            return self._walk({}, target)
        if not isinstance(found, dict):
            raise self._invalid(f"the reference '{reference[:80]}' leads nowhere")
        return self._walk(cast("Node", found), target)

    def _without_circles(self) -> list[Subschema]:
        """All subschemas, each before those that are checked against the same value after it."""
        done: dict[int, bool] = {}
        order: list[Subschema] = []
        for first in self.subschemas:
            stack: list[tuple[Subschema, Iterator[Subschema]]] = []
            self._enter(first, done, stack)
            while stack:
                here, rest = stack[-1]
                following = next(rest, None)
                if following is None:
                    done[id(here)] = True
                    order.append(here)
                    stack.pop()
                else:
                    self._enter(following, done, stack)
        return order[::-1]

    def _enter(
        self,
        subschema: Subschema,
        done: dict[int, bool],
        stack: list[tuple[Subschema, Iterator[Subschema]]],
    ) -> None:
        state = done.get(id(subschema))
        if state is None:
            done[id(subschema)] = False
            stack.append((subschema, iter(subschema.here)))
        elif not state:
            raise self._invalid("its references go round in a circle")

    def _too_complex(self, why: str) -> InvalidInput:
        return InvalidInput(
            f"{self._field} is too complex: {why}", code="too_complex", field=self._field
        )

    def _invalid(self, why: str) -> InvalidInput:
        return InvalidInput(
            f"{self._field} is not a usable JSON Schema: {why}",
            code="invalid_schema",
            field=self._field,
        )

    def _external(self, reference: str) -> InvalidInput:
        return InvalidInput(
            f"{self._field}: the reference '{reference[:80]}' leads out of the document; "
            "nothing is ever fetched",
            code="external_ref",
            field=self._field,
            hint="Put the schema under $defs and refer to it as #/$defs/name.",
        )


def _children(node: Node) -> Iterator[tuple[str, object]]:
    """Every value at a place for schemas, with how it hangs on `node`."""
    for key, edge in _EDGES.items():
        value = node.get(key)
        if isinstance(value, list):
            yield from ((edge, child) for child in cast("list[object]", value))
        elif key in _BY_NAME:
            yield from ((edge, child) for child in _as_object(value).values())
        else:
            yield edge, value
    for name, child in _as_object(node.get("properties")).items():
        yield f"property {name}", child


def _connect(here: Subschema, edge: str, child: Subschema) -> None:
    kind, _, name = edge.partition(" ")
    match kind:
        case "here":
            here.here.append(child)
        case "item":
            here.items.append(child)
        case "member":
            here.members.append(child)
        case "additional":
            here.additional = child
        case "property":
            here.properties[name] = child
        case _:
            pass


def _as_object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _pointed(resource: object, pointer: str) -> object:
    """RFC 6901, over a fragment that is decoded already; None when it leads nowhere."""
    place = resource
    for escaped in pointer.split("/")[1:]:
        part = escaped.replace("~1", "/").replace("~0", "~")
        if isinstance(place, dict):
            place = cast("dict[str, object]", place).get(part)
        elif isinstance(place, list) and part.isascii() and part.isdigit() and len(part) < 6:
            items = cast("list[object]", place)
            place = items[int(part)] if int(part) < len(items) else None
        else:
            return None
    return place
