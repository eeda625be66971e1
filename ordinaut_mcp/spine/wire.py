"""The connection to Redis, and the one place where its client's errors become ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha1
from typing import Any, Final, cast

from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError

from ordinaut_mcp.errors import Unavailable

ANSWER_WITHIN: Final = 10.0
CONNECT_WITHIN: Final = 3.0

Argument = str | bytes | int


class Script:
    """A script that Redis keeps; it is sent whole only when Redis does not know it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = sha1(source.encode(), usedforsecurity=False).hexdigest()


class Wire:
    """Sends commands and gives Redis' answers as they are. Nothing is ever sent twice."""

    def __init__(self, client: Redis) -> None:
        # The library types its answers for two protocols at once; we speak one of them.
        self._send = cast(
            "Callable[..., Awaitable[Any]]",
            client.execute_command,  # pyright: ignore[reportUnknownMemberType]
        )

    async def call(self, *command: Argument) -> Any:
        """The answer to one command.

        Raises:
            Unavailable: Redis did not answer, or refused the command.
        """
        with unavailable():
            return await self._send(*command)

    async def run(self, script: Script, keys: list[str], *arguments: Argument) -> Any:
        """The answer of a script, which Redis runs as one step.

        Raises:
            Unavailable: Redis did not answer, or refused; the script may have run all the same.
        """
        rest = (len(keys), *keys, *arguments)
        with unavailable():
            try:
                return await self._send("EVALSHA", script.digest, *rest)
            except NoScriptError:
                return await self._send("EVAL", script.source, *rest)


@asynccontextmanager
async def opened(redis_url: str) -> AsyncGenerator[Wire, None]:
    """A wire to this Redis; it connects at the first command, and again whenever it must."""
    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        redis_url,
        protocol=2,
        socket_timeout=ANSWER_WITHIN,
        socket_connect_timeout=CONNECT_WITHIN,
        retry=Retry(NoBackoff(), 0),
        client_name="ordinaut",
    )
    try:
        yield Wire(client)
    finally:
        await client.aclose()


@contextmanager
def unavailable() -> Generator[None, None, None]:
    """Turn all that Redis or the way to it can answer wrong into `Unavailable`."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            f"Redis does not answer: {error}",
            hint="Runs go on without it, and events wait in the outbox.",
            retry_after=2,
        ) from error
