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
