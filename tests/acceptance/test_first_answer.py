"""tools/list does not wait for the runtime; a call that needs it does."""

from __future__ import annotations

from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.lock import FileLock
from tests.acceptance.product import installed


def test_tools_are_listed_before_there_is_a_runtime() -> None:
    with installed() as product:
        home = Home(product.home)
        home.prepare()
        # While this lock is held nobody can start a runtime in this home.
        starting = FileLock(home.run / "spawn.lock")
        assert starting.acquire()
        with product.raw() as server:
            server.greet()
            listed = server.request("tools/list", {})["result"]["tools"]
            assert product.status()["pid"] is None
            starting.release()
            status = server.call("get_status", {})
        assert "schedule_task" in {tool["name"] for tool in listed}
        assert status["isError"] is False
        assert status["structuredContent"]["healthy"] is True
        assert product.status()["pid"] == status["structuredContent"]["processes"][0]["pid"]
