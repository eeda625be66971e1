"""The table for the terminal, and RESULTS.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness import Finding, Goal, Spread

PACKAGES = (
    "ordinaut-mcp", "mcp", "psycopg", "asyncpg", "pgqueuer", "procrastinate", "dbos",
    "apscheduler", "sqlalchemy", "python-dateutil", "cronsim", "croniter",
)  # fmt: skip
HEADS = ("row", "figure", "ours", "beside", "theirs", "ratio", "goal", "verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Under what the figures were taken."""

    postgres: str
    rounds: int
    quick: bool
    began: datetime

    def lines(self) -> list[str]:
        """Date, machine, versions: what a reader needs to judge the figures."""
        took = (datetime.now(UTC) - self.began).total_seconds() / 60
        kind = "Quick (sizes are too small to conclude from)" if self.quick else "Full sizes"
        return [
            f"- Taken on {self.began:%Y-%m-%d %H:%M} UTC in {took:.0f} min.",
            f"- {kind}, {self.rounds} rounds for each ratio.",
            f"- Machine: {machine()}.",
            f"- One embedded PostgreSQL {self.postgres} for all, as the product starts it.",
            "- fsync, synchronous_commit and full_page_writes are on.",
            f"- Python {platform.python_version()}; {', '.join(versions())}.",
        ]


def machine() -> str:
    """Cores, memory, load at this moment, system."""
    cores = os.cpu_count() or 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return f"{cores} cores, {memory:.0f} GiB, load {load:.1f} now, {platform.platform()}"


def versions() -> list[str]:
    """What is installed of what is compared."""
    found = list[str]()
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} not installed")
    return found


def write(path: Path, findings: Sequence[Finding], circumstances: Circumstances) -> None:
    """The whole file anew; it is complete after each row, so that nothing found is lost."""
    lines = [
        "# Results of `make bench`",
        "",
        "Written by the command. A value is the median of its rounds with their range in brackets;",
        "a ratio is ours over theirs, round by round. Shared machines are noisy: compare within",
        "one line, never with the file of another day. A drain is timed from the first claim",
        "(ours) or from the first run that begins (peers, in their favour) until nothing is left.",
        "",
        *circumstances.lines(),
        "",
        *_markdown(findings),
        "",
        "## Remarks",
        "",
        *[f"- {_name(one)}: {one.failure or one.remark}" for one in findings if _says(one)],
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def table(findings: Iterable[Finding]) -> str:
    """The same table for a terminal."""
    rows = [list(HEADS), *(_cells(one) for one in findings)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
    return "\n".join("  ".join(_padded(row, widths)).rstrip() for row in rows)


def line(finding: Finding) -> str:
    """One finding as it comes in."""
    cells = [cell for cell in _cells(finding) if cell and cell != "-"]
    return " | ".join([*cells, finding.failure or finding.remark])


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


def _markdown(findings: Iterable[Finding]) -> list[str]:
    rows = [_cells(one) for one in findings]
    return [
        f"| {' | '.join(HEADS)} |",
        f"|{'---|' * len(HEADS)}",
        *[f"| {' | '.join(row)} |" for row in rows],
    ]


def _cells(one: Finding) -> list[str]:
    ratio = shown(one.ratio) if one.ratio else "-"
    unit = f" {one.unit}" if one.unit else ""
    return [
        one.row,
        one.figure,
        f"{shown(one.ours)}{unit}" if one.ours else "-",
        one.peer or "-",
        f"{shown(one.theirs)}{unit}" if one.theirs else "-",
        ratio,
        _goal(one.goal) if one.goal else "-",
        one.verdict,
    ]


def shown(spread: Spread) -> str:
    """The median with the range of the rounds."""
    if len(spread.values) == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)}–{number(spread.most)})"


def number(value: float) -> str:
    """Three digits that tell something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _goal(goal: Goal) -> str:
    sign = "≥" if goal.kind == "at least" else "≤"
    return f"{sign} {number(goal.limit)}{' ×' if goal.of == 'ratio' else ''}"


def _name(one: Finding) -> str:
    return f"{one.row}, {one.figure}{f' beside {one.peer}' if one.peer else ''}"


def _says(one: Finding) -> bool:
    return bool(one.failure or one.remark)
