"""The console scripts `ordinaut-mcp` and `ordinaut`, and `python -m ordinaut_mcp`.

The stdio server is on the shortest way: a client waits for it, so nothing that only the
command line needs is imported for it.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serve over stdio, or run the command that was asked for."""
    words = sys.argv[1:]
    if words == ["serve"] or (not words and not sys.stdin.isatty()):
        from ordinaut_mcp.app.stdio import serve_stdio

        sys.exit(serve_stdio())
    from ordinaut_mcp.cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
