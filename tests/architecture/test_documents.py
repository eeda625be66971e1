"""The documents say what the code does: nothing is missing, and nothing is there too many."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.main import get_group

from ordinaut_mcp.cli.main import app
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.arguments import CODES
from ordinaut_mcp.domain.tool import FaultKind
from ordinaut_mcp.server import OrdinautServer
from ordinaut_mcp.services.desk import Desk

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "ordinaut_mcp"
REFERENCE = ROOT / "docs" / "reference"
ELSEWHERE = {"node_modules", "build", "dist"}
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FIRST_CELL = re.compile(r"^\| `([a-z_]+(?: [a-z]+)?)`", re.MULTILINE)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def first_cells(document: str) -> set[str]:
    """What the rows of a document's tables are about."""
    return set(FIRST_CELL.findall(document))


def markdown() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*.md"))
        if not any(
            part in ELSEWHERE or part.startswith(".") for part in path.relative_to(ROOT).parts
        )
    ]


def words_in(node: ast.AST | None) -> Iterator[str]:
    """Every text constant of an expression, but for what it only compares with."""
    if node is None or isinstance(node, ast.Compare):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from words_in(child)


def place_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int | None:
    """Which positional argument of a call is the code."""
    names = [argument.arg for argument in function.args.args]
    if "code" not in names:
        return None
    return names.index("code") - (names[0] in {"self", "cls"})


def codes_of_a_call(call: ast.Call, places: dict[str, int]) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg == "code":
            yield from words_in(keyword.value)
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if name in places and len(call.args) > places[name]:
        yield from words_in(call.args[places[name]])


def codes_by_default(arguments: ast.arguments) -> Iterator[str]:
    with_defaults = arguments.args[len(arguments.args) - len(arguments.defaults) :]
    for argument, default in zip(with_defaults, arguments.defaults, strict=True):
        if argument.arg == "code":
            yield from words_in(default)


def codes_of(node: ast.AST, places: dict[str, int]) -> Iterator[str]:
    """The error codes that one node of a module names."""
    match node:
        case ast.Call():
            yield from codes_of_a_call(node, places)
        case ast.Assign(targets=[ast.Name(id="code")]) | ast.AnnAssign(target=ast.Name(id="code")):
            yield from words_in(node.value)
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                names_one = isinstance(key, ast.Constant) and key.value == "code"
                if names_one and not isinstance(value, ast.Dict):
                    yield from words_in(value)
        case ast.arguments():
            yield from codes_by_default(node)
        case _:
            return


def codes_of_module(path: Path) -> Iterator[str]:
    nodes = list(ast.walk(ast.parse(text(path))))
    places = {
        node.name: place
        for node in nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (place := place_of_code(node)) is not None
    }
    for node in nodes:
        yield from codes_of(node, places)


def codes_of_the_package() -> set[str]:
    modules = sorted(PACKAGE.rglob("*.py"))
    literal = {code for path in modules for code in codes_of_module(path)}
    return literal | set(CODES.values()) | {kind.value for kind in FaultKind}


def nobody() -> AbstractAsyncContextManager[Desk]:
    raise AssertionError("listing tools needs no runtime")


def published_tools() -> set[str]:
    return {tool.name for tool in anyio.run(OrdinautServer(nobody).list_tools)}


def commands_of(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


def anchors_of(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text(path)), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def test_every_error_code_is_listed_and_every_listed_one_exists() -> None:
    lists = text(REFERENCE / "errors.md").partition("## Of any call")[2]
    assert first_cells(lists) == codes_of_the_package()


def test_every_tool_that_the_server_publishes_is_in_the_readme_and_in_its_reference() -> None:
    tools = published_tools()

    assert "schedule_task" in tools
    headings = set(re.findall(r"^## `(\w+)`$", text(REFERENCE / "tools.md"), re.MULTILINE))
    assert headings == tools
    assert {tool for tool in tools if f"`{tool}`" not in text(ROOT / "README.md")} == set()


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    table = text(REFERENCE / "settings.md").partition("## Example")[0]
    assert first_cells(table) == set(Settings.model_fields)


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    commands = set(commands_of(get_group(app)))

    assert "demo" in commands
    assert first_cells(text(REFERENCE / "commands.md")) == commands


@pytest.mark.parametrize("path", markdown(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    for link in LINK.findall(FENCED.sub("", text(path))):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place).resolve() if place else path
        assert target.exists(), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_file_that_the_architecture_names_is_there() -> None:
    table = text(ROOT / "ARCHITECTURE.md").partition("## Where is")[2]
    missing: list[str] = []
    for row in table.splitlines():
        folder = PACKAGE
        for name in re.findall(r"`([\w/]+\.py)`", row):
            # A bare name stands for a neighbour of the file before it, or for one at the top.
            places = [folder / name, PACKAGE / name]
            found = next((place for place in places if place.is_file()), None)
            folder = found.parent if found else folder
            missing += [] if found else [name]
    assert missing == []


def test_every_migration_has_its_rollback() -> None:
    forward = {path.name.removesuffix(".up.sql") for path in (ROOT / "schema").glob("*.up.sql")}
    back = {path.name.removesuffix(".down.sql") for path in (ROOT / "schema").glob("*.down.sql")}

    assert forward
    assert forward == back


def test_the_example_configuration_starts_a_console_script_of_the_package() -> None:
    entry = json.loads(text(ROOT / "claude_desktop_config.example.json"))["mcpServers"]["ordinaut"]
    scripts = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]["scripts"]

    assert entry["command"] == "uvx"
    assert entry["args"][0] in scripts
    settings = {f"ORDINAUT_{name.upper()}" for name in Settings.model_fields}
    assert set(entry.get("env", {})) <= settings


def test_the_readme_is_short_and_its_commands_are_targets_of_the_makefile() -> None:
    readme = text(ROOT / "README.md")
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"^make (\w+)", readme, re.MULTILINE))

    assert len(readme.splitlines()) <= 150
    assert {"demo", "test"} <= named
    assert named <= targets
