"""Small files, short functions: measured, so that nobody has to remember."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("ordinaut_mcp", "tests", "examples", "bench")
    for path in (ROOT / folder).rglob("*.py")
)
TOOLS = ROOT / "ordinaut_mcp" / "tools"

LONGEST_FILE = 400
LONGEST_BODY = 45
LONGEST_TOOL = 15

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file, however deep it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def body_lines(function: Function) -> int:
    """The lines of its body; neither the signature nor the docstring is one."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    if not body:
        return 0
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def is_tool(function: Function) -> bool:
    """Whether it is published to models: it takes the context of a call."""
    names = {argument.arg for argument in function.args.args}
    return (
        isinstance(function, ast.AsyncFunctionDef) and "ctx" in names and function.name != "asked"
    )


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_is_something_to_measure() -> None:
    names = {function.name for path in TOOLS.glob("*.py") for function in functions(path)}

    assert len(FILES) > 100
    assert {"schedule_task", "get_run"} <= names


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_no_file_is_longer_than_four_hundred_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


def test_no_function_body_is_longer_than_forty_five_lines() -> None:
    long = {
        f"{shown(path)}:{function.lineno} {function.name}": lines
        for path in FILES
        for function in functions(path)
        if (lines := body_lines(function)) > LONGEST_BODY
    }

    assert long == {}


def test_no_tool_body_is_longer_than_fifteen_lines() -> None:
    long = {
        f"{shown(path)} {function.name}": lines
        for path in TOOLS.glob("*.py")
        for function in functions(path)
        if is_tool(function) and (lines := body_lines(function)) > LONGEST_TOOL
    }

    assert long == {}
