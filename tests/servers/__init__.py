"""Tool servers for tests: small scripts that start in some 30 ms and speak MCP over stdio.

They import nothing but the standard library, so that starting one costs a test next to nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ECHO = HERE / "echo.py"
EVIL = HERE / "evil.py"


def entry(script: Path, *args: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The entry of a tools file that starts `script` with this interpreter."""
    return {"command": sys.executable, "args": [str(script), *args], "env": env or {}}
