"""`demo`: the main job, seen with your own eyes."""

from __future__ import annotations

from tests.acceptance.product import installed


def test_the_demo_shows_the_main_job_and_leaves_nothing_running() -> None:
    with installed() as product:
        done = product.command("demo")
        assert done.code == 0, done.err
        assert done.err.index("schedules") < done.err.index("closed") < done.err.index("new client")
        assert "succeeded" in done.out
        assert "step clock (time.get_current_time): succeeded" in done.out
        assert 'step note (value.set): succeeded → "In Europe/Chisinau it was 20' in done.out
        assert "ms after it was due" in done.out
        assert f"The data is in {product.home / 'demo'}" in done.out
        assert product.command("status", home=str(product.home / "demo")).code == 4
