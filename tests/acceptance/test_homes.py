"""Homes keep apart, may have a space in their name, and come back as they were."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tests.acceptance.product import Product, installed
from tests.acceptance.tasks import task


def modes(folder: Path) -> dict[str, int]:
    return {one.name: stat.S_IMODE(one.stat().st_mode) for one in folder.iterdir()}


def test_two_homes_side_by_side_know_nothing_of_each_other(product: Product) -> None:
    outside = {path: stat.S_IMODE(path.stat().st_mode) for path in (Path("/tmp"), Path.home())}
    with installed("a home with spaces", timezone="Asia/Kathmandu") as other:
        assert other.command("up").code == 0
        mine, theirs = product.status(), other.status()
        assert mine["pid"] != theirs["pid"]
        assert mine["database_url"] != theirs["database_url"]
        assert mine["redis_url"] != theirs["redis_url"]
        with product.session(agent="local") as here, other.session() as there:
            here.call("schedule_task", **task(key="only-here"))
            assert there.call("list_tasks")["tasks"] == []
            assert there.call("get_status")["timezone"] == "Asia/Kathmandu"
            there.call("schedule_task", **task(key="only-there"))
            run = there.call("run_now", task="only-there", wait_seconds=20)["run"]
            assert run["state"] == "succeeded"
            assert here.refused("get_task", task="only-there")["code"] == "not_found"

        # Down and up again: all that was stored is there.
        assert other.command("down").code == 0
        assert product.status()["running"] is True
        with other.session() as again:
            assert again.call("get_task", task="only-there")["runs"][0]["id"] == run["id"]
        assert set(modes(other.folder)) >= {"a home with spaces"}
        assert modes(other.home)["runtime.json"] == 0o600
    assert outside == {path: stat.S_IMODE(path.stat().st_mode) for path in outside}


def test_a_home_that_cannot_be_made_is_told_by_its_name(product: Product) -> None:
    blocked = product.folder / "a file"
    blocked.write_text("in the way", encoding="utf-8")
    for words in (("up",), ("doctor",), ("status",)):
        done = product.command(*words, home=str(blocked / "home"))
        assert done.code in {1, 4}, words
        assert "Traceback" not in done.err
    told = product.command("up", home=str(blocked / "home"))
    assert "a file" in told.err
    assert told.code == 1


def test_a_very_long_home_is_told_with_what_is_allowed(product: Product) -> None:
    done = product.command("up", home=str(product.folder / ("x" * 200) / ("y" * 200) / ("z" * 600)))
    assert done.code == 1
    assert "900 bytes" in done.err or "too long" in done.err.lower()


def test_the_current_folder_does_not_matter(product: Product) -> None:
    relative = os.path.relpath(product.home, product.folder)
    assert product.command("status", "--json", home=relative).facts == product.status()
