"""Harm of every kind, decided by a seed: afterwards all invariants hold.

`make chaos` sets ORDINAUT_CHAOS_SECONDS and ORDINAUT_CHAOS_SEED; without them it is a short one.
"""

from __future__ import annotations

import sys

import pytest

from tests.chaos.campaign import Campaign
from tests.chaos.plant import planted
from tests.chaos.settings import Wildness, long, short
from tests.chaos.telling import told

pytestmark = pytest.mark.anyio


async def test_whatever_is_killed_stopped_cut_or_moved_the_promises_hold() -> None:
    wildness: Wildness = long() or short()
    with planted() as plant:
        campaign = Campaign(plant, wildness)
        found = await campaign.run()
        story = told(campaign, found)
        sys.stdout.write(story + "\n")

        assert found == {}, story
        assert campaign.exits == [0] * len(campaign.exits), story
        assert plant.children() == {}
        assert len(campaign.history.calls) > wildness.seconds
        assert len(campaign.nemesis.deeds) > wildness.seconds / 5
