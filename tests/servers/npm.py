"""Tool servers from the npm registry, on the Node that comes from the package index."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path

from tests.acceptance.inspector import node

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".work" / "npm-servers"
EVERYTHING = ("@modelcontextprotocol/server-everything", "2026.8.31")
INSTALL_SECONDS = 240


def everything() -> Path:
    """The start script of the reference server, installed once into a folder that git ignores."""
    package, version = EVERYTHING
    folder = FOLDER / "node_modules" / package
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test processes run side by side
        about = folder / "package.json"
        if not about.exists() or json.loads(about.read_text("utf-8"))["version"] != version:
            _install(f"{package}@{version}")
    return folder / "dist" / "index.js"


def _install(what: str) -> None:
    npm = node().parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    quiet = ["--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(FOLDER)]
    done = subprocess.run(
        [str(node()), str(npm), "install", *quiet, what],
        env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    assert done.returncode == 0, (
        f"{what} could not be installed from the npm registry, and without it nothing shows that"
        f" servers nobody here wrote work:\n{done.stderr[-2000:]}"
    )
