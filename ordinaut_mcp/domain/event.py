"""An event: a topic, its data, and which patterns of topics it fits."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NewType
from zlib import crc32

from ordinaut_mcp.domain.clean import clean_json
from ordinaut_mcp.domain.line import one_line
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.errors import Conflict, InvalidInput

EventId = NewType("EventId", int)

LONGEST_TOPIC: Final = 200
MOST_PARTS: Final = 8
LONGEST_KEY: Final = 200
RESERVED: Final = ("ordinaut", "run", "task", "message", "runtime")
"""First parts of topics that the product itself publishes."""
SHARDS: Final = 8
"""As many as ordinaut.relay_shard has."""

_PART = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_EVENT = re.compile(r"event_(0|[1-9][0-9]{0,17})")
_HOW: Final = (
    "Write it as dotted lower-case parts, from the general to the particular, each beginning with"
    " a letter: email.received.invoice. Numbers and names of things belong in data."
)


def event_name(event_id: int) -> str:
    """How callers know an event."""
    return f"event_{event_id}"


def parse_event_name(text: str, *, field: str) -> EventId:
    """The event's number; `event_0` stands before all of them.

    Raises:
        InvalidInput: `invalid_cursor`.
    """
    found = _EVENT.fullmatch(text)
    if not found:
        raise InvalidInput(
            "That is no place in the list of events.",
            code="invalid_cursor",
            field=field,
            hint="Use next_cursor of the last answer or an event's id; event_0 begins at the"
            " first, and without it you get the newest.",
        )
    return EventId(int(found[1]))


def shard_of(name: str) -> int:
    """Where the outbox keeps what must stay in order: the same name is always in one shard."""
    return crc32(name.encode()) % SHARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An event that may be published; `event_draft` makes it. `run_id`: a step publishes it."""

    owner: str
    topic: str
    data: Mapping[str, Any]
    key: str | None
    run_id: RunId | None

    @property
    def size(self) -> int:
        """Bytes of the data as JSON."""
        return len(_json(self.data).encode())

    @property
    def digest(self) -> str:
        """sha256 of what was asked."""
        return sha256(_json([self.topic, self.data]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as it is stored."""

    id: EventId
    owner: str
    topic: str
    run_id: RunId | None
    key: str | None
    data: Any
    digest: str
    created_at: datetime


def event_draft(
    *,
    owner: str,
    topic: str,
    data: Mapping[str, Any] | None = None,
    key: str | None = None,
    run_id: RunId | None = None,
) -> EventDraft:
    """An event that may be published.

    Raises:
        InvalidInput: `invalid_topic`, or the data or the key cannot be stored.
    """
    return EventDraft(
        owner=owner,
        topic=parse_topic(topic),
        data=clean_json(dict(data or {}), field="data"),
        key=None if key is None else one_line(key, "key", LONGEST_KEY),
        run_id=run_id,
    )


def parse_topic(text: str, *, field: str = "topic") -> str:
    """Give back the topic, proved to be one that agents may publish.

    Raises:
        InvalidInput: `invalid_topic`: no dotted lower-case parts, too long, or reserved.
    """
    parts = _parts(text, field)
    if "*" in text:
        raise _refused("has a wildcard; an event has one topic", field)
    for part in parts:
        if not _PART.fullmatch(part):
            raise _refused(f"has a part that is no name: {_shown(part)}", field)
    if parts[0] in RESERVED:
        raise InvalidInput(
            f"Topics that begin with '{parts[0]}.' are what Ordinaut itself publishes.",
            code="invalid_topic",
            field=field,
            hint="Begin with a word of your own: the project's name, or what the event is about.",
        )
    return text


def parse_pattern(text: str, *, field: str = "topic") -> str:
    """Give back the pattern: a topic in which `*` stands for one part and a last `**` for the rest.

    Raises:
        InvalidInput: `invalid_topic`.
    """
    parts = _parts(text, field)
    for position, part in enumerate(parts):
        if part == "**" and position < len(parts) - 1:
            raise _refused("has '**' before its end; it stands for all the rest", field)
        if part not in {"*", "**"} and not _PART.fullmatch(part):
            raise _refused(f"has a part that is neither a name nor '*': {_shown(part)}", field)
    return text


def pattern_regex(pattern: str) -> str:
    """The regular expression of a parsed pattern, alike for Python and PostgreSQL.

    `**` stands for at least one part. What is literal comes first as it is, so that an index on
    the topic serves.
    """
    words = {"*": "[^.]+", "**": ".+"}
    return "^" + "[.]".join(words.get(part, part) for part in pattern.split(".")) + "$"


def same_event(event: Event, asked: EventDraft) -> Event:
    """The event that the key stands for already.

    Raises:
        Conflict: the agent gave the key to another topic or other data. A step that is called
            again has published its event, whatever it would say now.
    """
    if asked.run_id is None and event.digest != asked.digest:
        raise Conflict(
            f"The key '{asked.key}' already published {event_name(event.id)} with another topic or"
            " other data; nothing was published.",
            field="key",
            hint="Use a new key, or repeat the call exactly.",
        )
    return event


def _parts(text: str, field: str) -> list[str]:
    if not text:
        raise _refused("is empty", field)
    if len(text) > LONGEST_TOPIC:
        raise _refused(f"is longer than {LONGEST_TOPIC} characters", field)
    parts = text.split(".")
    if len(parts) > MOST_PARTS:
        raise _refused(f"has more than {MOST_PARTS} parts", field)
    return parts


def _refused(what: str, field: str) -> InvalidInput:
    return InvalidInput(f"The topic {what}.", code="invalid_topic", field=field, hint=_HOW)


def _shown(part: str) -> str:
    return ascii(part if len(part) <= 40 else part[:40] + "…")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
