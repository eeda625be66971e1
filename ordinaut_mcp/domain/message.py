"""A message to an agent's inbox: what may be sent, when it is shown, and what makes it one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NewType

from ordinaut_mcp.domain.clean import clean_json
from ordinaut_mcp.domain.instant import local_text, parse_instant, utc_text
from ordinaut_mcp.domain.line import one_line
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound

MessageId = NewType("MessageId", int)

LARGEST_TEXT: Final = 16 * 1024
"""Bytes of UTF-8."""
FARTHEST: Final = timedelta(days=3_660)
LONGEST_KEY: Final = 200

_MESSAGE = re.compile(r"msg_([1-9][0-9]{0,17})")


def message_name(message_id: int) -> str:
    """How callers know a message."""
    return f"msg_{message_id}"


def message_number(text: str) -> MessageId | None:
    """The number in `msg_12`; None when the text is no such id."""
    found = _MESSAGE.fullmatch(text)
    return MessageId(int(found[1])) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """When a message is to be shown, as it was asked; neither: at once."""

    at: datetime | None = None
    after: timedelta | None = None

    def instant(self, now: datetime, *, timezone: str) -> datetime:
        """The instant that is meant.

        Raises:
            InvalidInput: `in_the_past`, or `too_far` ahead (ten years).
        """
        if self.at is not None and self.at <= now:
            raise InvalidInput(
                f"That instant has passed; it is {local_text(now, timezone)}.",
                code="in_the_past",
                field="deliver_at",
                hint="Leave it out to deliver at once, or give in_seconds.",
            )
        if self.at is not None and self.at - now > FARTHEST:
            raise InvalidInput(
                "That instant lies more than ten years ahead.",
                code="too_far",
                field="deliver_at",
            )
        return self.at or now + (self.after or timedelta(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message that may be sent; `draft` makes it. `run_id`: a step of this run sends it."""

    sender: str
    to: str
    text: str
    data: Mapping[str, Any] | None
    when: When
    key: str | None
    run_id: RunId | None
    timezone: str

    @property
    def size(self) -> int:
        """Bytes of text and data as JSON."""
        return len(_json([self.text, self.data]).encode())

    @property
    def digest(self) -> str:
        """sha256 of what was asked; a delay counts as it was given, not as the instant it means."""
        at = utc_text(self.when.at) if self.when.at else None
        after = self.when.after.total_seconds() if self.when.after else None
        return sha256(_json([self.to, self.text, self.data, at, after]).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it is stored; `read_at` as it was before it was given out this time."""

    id: MessageId
    sender: str
    to: str
    run_id: RunId | None
    key: str | None
    text: str
    data: Any
    digest: str
    created_at: datetime
    deliver_at: datetime
    read_at: datetime | None
    acked_at: datetime | None


def draft(
    *,
    sender: str,
    to: str,
    text: str,
    data: Mapping[str, Any] | None = None,
    deliver_at: str | None = None,
    in_seconds: float | None = None,
    key: str | None = None,
    run_id: RunId | None = None,
    timezone: str,
) -> Draft:
    """A message that may be sent; `deliver_at` without an offset is local to `timezone`.

    Raises:
        InvalidInput: the text is empty or over 16 KiB, `data` is too large, the instant cannot
            be read, or both ways of giving it were used.
    """
    return Draft(
        sender=sender,
        to=to,
        text=_checked_text(text),
        data=None if data is None else clean_json(dict(data), field="data"),
        when=_when(deliver_at, in_seconds, timezone),
        key=None if key is None else one_line(key, "key", LONGEST_KEY),
        run_id=run_id,
        timezone=timezone,
    )


def no_such_agent(name: str, *, asked_by: str) -> NotFound:
    """The one answer for agents that do not exist and agents that may not be written to."""
    shown = name if len(name) <= 63 else name[:63] + "…"
    return NotFound(
        f"There is no agent '{shown}' that you can write to.",
        field="to",
        hint=f"You are '{asked_by}', and may write to yourself. Another agent is there once its"
        " own client has used Ordinaut: start that client's server with ORDINAUT_AGENT set to its"
        " name, and let it call read_inbox once.",
    )


def same_message(message: Message, asked: Draft) -> Message:
    """The message that the key stands for already.

    Raises:
        Conflict: the agent gave the key to a message that says something else. A step that is
            called again has sent its message, whatever it would say now.
    """
    if asked.run_id is None and message.digest != asked.digest:
        raise Conflict(
            f"The key '{asked.key}' already sent {message_name(message.id)}, which says something"
            " else; nothing was sent.",
            field="key",
            hint="Use a new key, or repeat the call exactly.",
        )
    return message


def _checked_text(text: str) -> str:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LARGEST_TEXT:
        raise InvalidInput(
            f"text has {size} bytes; at most {LARGEST_TEXT} (16 KiB) are allowed.",
            code="too_large",
            field="text",
            hint="Shorten it, or put structured content into data.",
        )
    if not text.strip():
        raise InvalidInput("text is empty.", code="too_short", field="text")
    return clean_json(text, field="text")


def _when(deliver_at: str | None, in_seconds: float | None, timezone: str) -> When:
    if deliver_at is not None and in_seconds is not None:
        raise InvalidInput(
            "deliver_at and in_seconds both say when; give one of them.",
            code="conflicting_arguments",
            field="in_seconds",
        )
    if deliver_at is not None:
        moment = parse_instant(deliver_at, field="deliver_at", timezone=timezone)
        return When(at=moment.astimezone(UTC))
    return When(after=timedelta(seconds=in_seconds) if in_seconds else None)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
