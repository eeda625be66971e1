"""Logs: to stderr and nowhere else; stdout belongs to the data or to JSON-RPC."""

from __future__ import annotations

import logging
import sys

CALM = ("mcp", "httpx2", "httpcore2", "apscheduler", "asyncio")
"""Libraries whose everyday news is noise here."""


def quiet(level: str = "warning") -> None:
    """For short commands and the stdio server: warnings as plain lines on stderr."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format="%(levelname)s %(name)s: %(message)s",
        force=True,
    )


def canonical(level: str = "info") -> None:
    """For the runtime: one JSON object for each event, newlines escaped, instants in UTC."""
    import structlog

    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[output], force=True)
    for name in CALM:
        logging.getLogger(name).setLevel(logging.WARNING)
