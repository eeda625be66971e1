"""The log of writes, in order: what the queue held when each row was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.history import History, Write


def of_source(history: History, source: str) -> Iterator[Write]:
    """The writes of one table, in order."""
    return (write for write in in_order(history) if write.source == source)


def in_order(history: History) -> Sequence[Write]:
    """By id: whatever row locks keep apart has that order."""
    return sorted(history.writes, key=lambda write: write.id)


def commits(history: History) -> Iterator[Sequence[Write]]:
    """Whole transactions, each at its last write.

    Two transactions that touch one row are in the order of their commits: the second writes
    that row only after the first has committed.
    """
    whole, last = defaultdict[int, list[Write]](list), dict[int, int]()
    for write in in_order(history):
        whole[write.transaction].append(write)
        last[write.transaction] = write.id
    return (whole[transaction] for transaction in sorted(last, key=lambda one: last[one]))


def names(history: History) -> Mapping[int, str]:
    """Which of the harness's processes registered itself under which id."""
    return {
        write.process_id: write.who
        for write in of_source(history, "process")
        if write.op == "I" and write.process_id is not None and write.who is not None
    }
