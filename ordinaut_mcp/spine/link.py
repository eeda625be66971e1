"""Whether Redis or Valkey answers, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from ordinaut_mcp.errors import Unavailable

ANSWER_WITHIN = 3.0


def server_version(redis_url: str) -> str:
    """`valkey 9.1.2` or `redis 8.0.1`.

    Raises:
        Unavailable: it does not answer.
    """
    import redis

    client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        redis_url, socket_timeout=ANSWER_WITHIN, socket_connect_timeout=ANSWER_WITHIN
    )
    try:
        ask = cast("Callable[[str], dict[str, object]]", client.info)  # pyright: ignore[reportUnknownMemberType]
        found = ask("server")
    except (redis.RedisError, OSError) as error:
        raise Unavailable(
            f"Redis does not answer: {error}",
            hint="Runs go on without it. `ordinaut-mcp down`, then `up`, starts the embedded one.",
        ) from error
    finally:
        client.close()
    name = str(found.get("server_name", "redis"))
    version = found.get(f"{name}_version", found.get("redis_version"))
    return f"{name} {version}"
