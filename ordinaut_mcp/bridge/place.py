"""Where a local tool server runs: the folder it stands in, and the one it is started from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class NoPlace(Exception):
    """The working folder cannot be made; the text says why, for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The folder of the tools file, and the folder below which each server gets its own.

    Relative commands and `cwd` count from `tools_folder`. Without `private_below`, a server that
    names no `cwd` works in the folder of the tools file itself.
    """

    tools_folder: Path
    private_below: Path | None = None

    def working_folder(self, server: str, cwd: str | None) -> Path:
        """Where the server works: its `cwd`, or a folder of its own that only we may open.

        Raises: NoPlace.
        """
        if cwd is not None or self.private_below is None:
            return self.tools_folder / (cwd or "")
        folder = self.private_below / server
        try:
            self.private_below.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            wrong = f"its working folder {folder} cannot be made: {error.strerror}"
            raise NoPlace(f"{wrong}; give its entry a cwd") from error
        return folder

    def command_folder(self, cwd: str | None) -> Path:
        """What a command with a slash in it is relative to."""
        return self.tools_folder / (cwd or "")
