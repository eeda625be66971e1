"""What services and the runtime need from the world, in their own words.

Each method is one transaction and one promise: when it returns, what it promises is durable.
Every method may raise `Unavailable`; then nothing was stored.
"""

from __future__ import annotations

from ordinaut_mcp.ports.outside import CatalogStore, LanguageModel, ToolCaller, WebCaller
from ordinaut_mcp.ports.tasks import (
    CancelStore,
    Decide,
    DecideSending,
    DecideStatus,
    Ordered,
    RedriveStore,
    RunFilter,
    RunStore,
    SnoozeStore,
    TaskFilter,
    TaskStore,
)
from ordinaut_mcp.ports.telling import Bell, EventFilter, EventStore, MessageStore, Outbox, Spine
from ordinaut_mcp.ports.work import (
    Account,
    Depth,
    LeaseKeeper,
    Pause,
    ProcessInfo,
    ProcessStore,
    Recompute,
    RetentionStore,
    RunQueue,
    SettingStore,
    SlotStore,
    Swept,
)

__all__ = [
    "Account",
    "Bell",
    "CancelStore",
    "CatalogStore",
    "Decide",
    "DecideSending",
    "DecideStatus",
    "Depth",
    "EventFilter",
    "EventStore",
    "LanguageModel",
    "LeaseKeeper",
    "MessageStore",
    "Ordered",
    "Outbox",
    "Pause",
    "ProcessInfo",
    "ProcessStore",
    "Recompute",
    "RedriveStore",
    "RetentionStore",
    "RunFilter",
    "RunQueue",
    "RunStore",
    "SettingStore",
    "SlotStore",
    "SnoozeStore",
    "Spine",
    "Swept",
    "TaskFilter",
    "TaskStore",
    "ToolCaller",
    "WebCaller",
]
