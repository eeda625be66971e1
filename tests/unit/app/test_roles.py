"""The roles of a production process: each known, built, and at least one."""

from __future__ import annotations

import pytest

from ordinaut_mcp.app.process import NOT_YET, ROLES, checked_roles
from ordinaut_mcp.errors import InvalidInput, NotAvailable


def test_every_built_role_may_be_played() -> None:
    assert checked_roles(list(ROLES)) == ("scheduler", "worker", "reaper", "janitor", "relay")


@pytest.mark.parametrize("role", NOT_YET)
def test_a_role_of_a_later_version_is_refused(role: str) -> None:
    with pytest.raises(NotAvailable) as caught:
        checked_roles(["worker", role])
    assert (caught.value.field, caught.value.allowed) == ("roles", list(ROLES))


@pytest.mark.parametrize("roles", [[], ["bogus"], ["worker", ""], ["Worker"]])
def test_a_role_that_does_not_exist_is_refused(roles: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        checked_roles(roles)
    assert (caught.value.field, caught.value.allowed) == ("roles", list(ROLES))
