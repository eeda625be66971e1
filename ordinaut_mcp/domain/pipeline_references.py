"""What the expressions of a step may read, and from where."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ordinaut_mcp.domain.expression import Reference
from ordinaut_mcp.domain.nearest import did_you_mean
from ordinaut_mcp.domain.step import Pipeline, Step
from ordinaut_mcp.domain.template import templates_in
from ordinaut_mcp.errors import InvalidInput

ROOTS: Final = frozenset({"params", "steps", "event", "task", "run", "now"})
FOR_EACH_ROOTS: Final = frozenset({"item", "index"})
VERIFY_ROOTS: Final = frozenset({"result"})
MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "event": frozenset({"topic", "data"}),
    "task": frozenset({"id", "key", "title"}),
    "run": frozenset({"id", "scheduled_for", "attempt", "idempotency_key"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is there when a step begins: `names` under `steps`, and the roots."""

    names: frozenset[str] = frozenset()
    roots: frozenset[str] = ROOTS

    def after(self, steps: Collection[Step]) -> Scope:
        """The scope once `steps` have run."""
        return replace(self, names=self.names | {step.save_as for step in steps})

    def inside(self, step: Step) -> Scope:
        """The scope of what `step` calls."""
        if step.for_each is None:
            return self
        return replace(self, roots=self.roots | FOR_EACH_ROOTS)


def check_references(pipeline: Pipeline, params: Mapping[str, Any] | None) -> list[str]:
    """Every reference of the pipeline leads to something that can be there.

    With `params` (the task's), a parameter that is not among them is a warning: a caller of
    `run_now` may still give it.

    Raises:
        InvalidInput: unknown_reference.
    """
    checking = _Checking(pipeline, params)
    return list(checking.steps(pipeline.steps, Scope()))


class _Checking:
    def __init__(self, pipeline: Pipeline, params: Mapping[str, Any] | None) -> None:
        self._every = {step.id: step for step in pipeline.every_step()}
        self._saved = {step.save_as for step in pipeline.every_step()}
        self._params = params

    def steps(self, steps: Collection[Step], scope: Scope) -> Iterator[str]:
        for step in steps:
            yield from self._step(step, scope)
            scope = scope.after(list(step.with_inner()))

    def _step(self, step: Step, scope: Scope) -> Iterator[str]:
        inside = scope.inside(step)
        for each in templates_in(step.for_each, f"{step.field}.for_each"):
            yield from self._all(each.template.references, scope, step, each.field)
        if step.condition:
            yield from self._all(step.condition.references, scope, step, step.condition.field)
        for each in templates_in(dict(step.arguments), f"{step.field}.with"):
            yield from self._all(each.template.references, inside, step, each.field)
        for inner in step.parallel:
            yield from self._step(inner, inside)
        if step.verify:
            verify = replace(scope.after(list(step.with_inner())), roots=scope.roots | VERIFY_ROOTS)
            yield from self._all(step.verify.references, verify, step, step.verify.field)

    def _all(
        self, references: Collection[Reference], scope: Scope, step: Step, field: str
    ) -> Iterator[str]:
        for reference in sorted(references, key=str):
            problem = self._problem(reference, scope, step)
            if problem:
                raise InvalidInput(
                    f"Step '{step.id}', {field}: {problem}",
                    code="unknown_reference",
                    field=field,
                    allowed=_allowed(reference, scope),
                )
            yield from self._param_warning(reference, field)

    def _problem(self, reference: Reference, scope: Scope, step: Step) -> str | None:
        root, name = reference.root, reference.name
        if root == "@":
            return "the whole context cannot be read; begin with params, steps or another root"
        if root not in scope.roots:
            return f"there is no '{root}' here{did_you_mean(root, scope.roots)}"
        if name is None:
            return None
        if root == "steps" and name not in scope.names:
            return self._no_step(name, scope, step)
        if root in MEMBERS and name not in MEMBERS[root]:
            return f"there is no '{name}' in '{root}'{did_you_mean(name, MEMBERS[root])}"
        return None

    def _no_step(self, name: str, scope: Scope, step: Step) -> str:
        if name in {step.id, step.save_as}:
            return f"steps.{name} is this step's own result, which is not there yet"
        if name in self._every and self._every[name].save_as in scope.names:
            return f"the result of step '{name}' is saved as steps.{self._every[name].save_as}"
        if name in self._every or name in self._saved:
            return f"steps.{name} is not there yet: that step runs later, or at the same time"
        return f"no step before gives steps.{name}{did_you_mean(name, scope.names)}"

    def _param_warning(self, reference: Reference, field: str) -> Iterator[str]:
        if reference.root != "params" or reference.name is None or self._params is None:
            return
        if reference.name not in self._params:
            meant = did_you_mean(reference.name, self._params)
            yield f"{field} reads params.{reference.name}, which the task does not give{meant}"


def _allowed(reference: Reference, scope: Scope) -> list[str]:
    if reference.root == "steps":
        return sorted(f"steps.{name}" for name in scope.names)
    if reference.root in MEMBERS:
        return sorted(f"{reference.root}.{name}" for name in MEMBERS[reference.root])
    return sorted(scope.roots)
