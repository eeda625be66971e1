"""One step of a pipeline, as it was written and proved well-formed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from ordinaut_mcp.domain.condition import Condition
from ordinaut_mcp.domain.retry import Backoff, RetryPolicy

FEATURES: Final = frozenset({"for_each", "parallel", "on_unknown", "secret", "secrets"})
"""Parts of the language beyond one call after another; `secrets` is `${secrets.NAME}`."""


class OnUnknown(StrEnum):
    """What happens when a call was sent and its outcome is not known."""

    RETRY = "retry"
    ASK = "ask"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnError:
    """What a failure of the step means: the run's, or `fallback` in place of the result."""

    continues: bool = False
    fallback: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetry:
    """What a step says about its retries; what it leaves out, the task says."""

    max_attempts: int | None = None
    backoff: Backoff | None = None
    base: timedelta | None = None
    longest: timedelta | None = None

    def over(self, policy: RetryPolicy) -> RetryPolicy:
        """The task's policy with this step's wishes laid over it."""
        base = policy.base if self.base is None else self.base
        longest = max(policy.longest, base) if self.longest is None else self.longest
        return replace(
            policy,
            max_retries=policy.max_retries if self.max_attempts is None else self.max_attempts - 1,
            backoff=self.backoff or policy.backoff,
            base=min(base, longest),
            longest=longest,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: a call of `uses`, or, with `parallel`, a group of steps that run together.

    `arguments` is the value of `with` as written, templates included. `for_each` is a template
    or a list, rendered like an argument. `field` is where the step stands in its pipeline.
    """

    id: str
    field: str
    uses: str = ""
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    save_as: str
    condition: Condition | None = None
    timeout: timedelta | None = None
    retry: StepRetry | None = None
    on_error: OnError = OnError()
    on_unknown: OnUnknown | None = None
    for_each: str | list[Any] | None = None
    max_parallel: int = 1
    parallel: tuple[Step, ...] = ()
    verify: Condition | None = None
    output_schema: Mapping[str, Any] | None = None
    secret: bool = False
    keys: frozenset[str] = frozenset()
    """The keys that were written, and `secrets` when an argument names one."""

    def with_inner(self) -> Iterator[Step]:
        """This step and all inside its `parallel`, in order."""
        yield self
        for inner in self.parallel:
            yield from inner.with_inner()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Steps that run in order; `parse_pipeline` makes it."""

    steps: tuple[Step, ...]

    def every_step(self) -> Iterator[Step]:
        """All steps, those inside `parallel` too, in the order they are written."""
        for step in self.steps:
            yield from step.with_inner()

    def features(self) -> frozenset[str]:
        """Which of `FEATURES` the steps use, for the service to refuse what is not built yet."""
        return frozenset(key for step in self.every_step() for key in step.keys & FEATURES)
