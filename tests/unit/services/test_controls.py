"""Who may pause the whole runtime, with which words, and who is woken when it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from ordinaut_mcp.domain.rings import SLOTS, WORK
from ordinaut_mcp.errors import InvalidInput, NotAllowed
from ordinaut_mcp.ports import Pause
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.controls import ControlService

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ADMIN, REMOTE = Caller("ann"), Caller("eve", local=False)


@dataclass
class MemorySettings:
    """The `SettingStore` port in memory, and the bell beside it."""

    pause_now: Pause | None = None
    rung: list[str] = field(default_factory=list[str])

    async def pause(self, by: str, *, note: str | None) -> bool:
        began = self.pause_now is None
        self.pause_now = Pause(by=by, since=NOON, note=note)
        return began

    async def resume(self, by: str) -> bool:
        del by
        was_paused, self.pause_now = self.pause_now is not None, None
        return was_paused

    async def paused(self) -> Pause | None:
        return self.pause_now

    async def ring(self, bell: str) -> None:
        self.rung.append(bell)


@pytest.fixture
def settings() -> MemorySettings:
    return MemorySettings()


@pytest.fixture
def controls(settings: MemorySettings) -> ControlService:
    return ControlService(settings, settings)


async def test_everybody_is_woken_when_it_goes_on(
    controls: ControlService, settings: MemorySettings
) -> None:
    assert await controls.pause(ADMIN, note="Fire") is True
    assert await controls.paused() == Pause(by="ann", since=NOON, note="Fire")
    assert settings.rung == []

    assert await controls.resume(ADMIN) is True
    assert await controls.paused() is None
    assert settings.rung == [SLOTS, WORK]


async def test_a_remote_agent_may_neither_pause_nor_resume(
    controls: ControlService, settings: MemorySettings
) -> None:
    with pytest.raises(NotAllowed) as refused:
        await controls.pause(REMOTE, note=None)
    assert refused.value.code == "insufficient_scope"
    assert "pause_task" in (refused.value.hint or "")
    await controls.pause(ADMIN, note=None)
    with pytest.raises(NotAllowed):
        await controls.resume(REMOTE)
    assert settings.pause_now is not None


@pytest.mark.parametrize(
    ("note", "code"),
    [("Fire\nHealthy.", "invalid_text"), ("x" * 501, "too_long"), (" ", "invalid_text")],
)
async def test_a_note_is_one_line_that_can_be_seen(
    controls: ControlService, settings: MemorySettings, note: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await controls.pause(ADMIN, note=note)
    assert (refused.value.code, refused.value.field) == (code, "note")
    assert settings.pause_now is None
