"""The word that was probably meant."""

from __future__ import annotations

from ordinaut_mcp.domain.nearest import did_you_mean, near, nearest


def test_a_slip_finds_the_word_that_was_meant() -> None:
    assert nearest("usse", ["id", "uses", "with"]) == "uses"


def test_case_does_not_matter_and_the_known_spelling_comes_back() -> None:
    assert nearest("CITY", ["City", "days"]) == "City"


def test_nothing_alike_gives_nothing() -> None:
    assert nearest("zebra", ["id", "uses"]) is None
    assert did_you_mean("zebra", ["id", "uses"]) == ""


def test_the_best_comes_first() -> None:
    assert near("forcast", ["broadcast", "forecast"])[0] == "forecast"


def test_a_very_long_word_is_not_compared() -> None:
    assert nearest("a" * 129, ["a" * 128]) is None


def test_the_phrase_can_stand_behind_a_message() -> None:
    assert did_you_mean("usse", ["uses"]) == "; did you mean 'uses'?"
