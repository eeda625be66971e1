"""The published input schema of a tool: as small and as strict as it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOISE = frozenset({"title", "default"})


def plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without null alternatives and titles; unknown arguments are not allowed."""
    properties = {name: _plain(part) for name, part in schema.get("properties", {}).items()}
    plain: dict[str, Any] = {"type": "object", "properties": properties}
    if required := schema.get("required"):
        plain["required"] = required
    return {**plain, "additionalProperties": False}


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in part.items() if name != "title"}
    if kept.get("default", ...) is None:
        del kept["default"]
    options = [option for option in kept.pop("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        return {**_plain(options[0]), **kept}
    return {"anyOf": [_plain(option) for option in options], **kept} if options else kept


def plain_answer(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The first level of an answer's schema: what it holds, without the shape of each part.

    answers.py has the whole shapes. A client pays for every byte of this at the start of each
    session.
    """
    parts = {name: _kind(part) for name, part in schema.get("properties", {}).items()}
    plain: dict[str, Any] = {"type": "object", "properties": parts}
    return {**plain, "required": schema["required"]} if "required" in schema else plain


def _kind(part: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        return {"type": "object"}
    if "anyOf" in part:
        kinds = [_kind(option).get("type") for option in part["anyOf"]]
        return {"type": sorted(str(kind) for kind in kinds if kind)} if all(kinds) else {}
    return {"type": part["type"]} if "type" in part else {}
