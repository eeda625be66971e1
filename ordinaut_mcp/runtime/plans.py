"""What is to be carried out, read once for each revision of a task."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from ordinaut_mcp.domain.pipeline import Pipeline, parse_pipeline
from ordinaut_mcp.domain.run import ClaimedRun
from ordinaut_mcp.domain.step import Step
from ordinaut_mcp.domain.task import TaskDefinition
from ordinaut_mcp.domain.zone import zone

KNOWN = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """A task's definition, its pipeline parsed, and its zone."""

    source: Mapping[str, Any]
    definition: TaskDefinition
    pipeline: Pipeline
    zone: tzinfo
    plain: frozenset[str]
    """Steps without a template in `with`: there is nothing to render."""
    fitting: set[str] = field(default_factory=set[str])
    """Those of them whose arguments were found to fit: they are the same each time."""


class Plans:
    """Remembers the plans that were needed lately."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[int, int], Plan] = OrderedDict()

    def of(self, claimed: ClaimedRun) -> Plan:
        """The plan of the revision that the run began with.

        Raises:
            OrdinautError, LookupError, TypeError, ValueError, AttributeError: what is stored
                cannot be read.
        """
        name = (claimed.task_id, claimed.generation)
        known = self._known.get(name)
        if known is None or known.source is not claimed.definition:
            definition = TaskDefinition.from_dict(claimed.definition)
            pipeline = parse_pipeline(list(definition.pipeline))
            known = Plan(
                claimed.definition,
                definition,
                pipeline,
                zone(definition.schedule.timezone),
                frozenset(step.id for step in pipeline.every_step() if _is_plain(step)),
            )
            self._known[name] = known
            if len(self._known) > KNOWN:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(name)
        return known


def _is_plain(step: Step) -> bool:
    # `$${` is no template, and yet it is rendered.
    return "${" not in json.dumps(step.arguments)
