"""Controls of the whole runtime: pause it, and let it go on."""

from __future__ import annotations

from ordinaut_mcp.domain.line import one_line
from ordinaut_mcp.domain.rings import SLOTS, WORK
from ordinaut_mcp.errors import NotAllowed
from ordinaut_mcp.ports import Bell, Pause, SettingStore
from ordinaut_mcp.services.caller import Caller

LONGEST_NOTE = 500


class ControlService:
    """What an administrator may ask; the local user's agents are administrators."""

    def __init__(self, settings: SettingStore, bell: Bell) -> None:
        self._settings = settings
        self._bell = bell

    async def pause(self, caller: Caller, *, note: str | None) -> bool:
        """Let nothing start, of any agent, until `resume`; False: it was paused already.

        Raises:
            NotAllowed: the caller is no administrator.
            InvalidInput: the note is more than one visible line.
        """
        _check(caller)
        if note is not None:
            one_line(note, "note", LONGEST_NOTE)
        return await self._settings.pause(caller.agent, note=note)

    async def resume(self, caller: Caller) -> bool:
        """Let things start again; what came due meanwhile is late. False: it was not paused.

        Raises:
            NotAllowed: the caller is no administrator.
        """
        _check(caller)
        was_paused = await self._settings.resume(caller.agent)
        await self._bell.ring(SLOTS)
        await self._bell.ring(WORK)
        return was_paused

    async def paused(self) -> Pause | None:
        """The pause that holds now; anybody may know of it."""
        return await self._settings.paused()


def _check(caller: Caller) -> None:
    if not caller.local:
        raise NotAllowed(
            "Only an administrator may pause or resume the whole runtime.",
            hint="pause_task and resume_task are for your own tasks.",
        )
