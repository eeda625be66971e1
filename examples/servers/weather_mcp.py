"""weather-mcp: a small tool server with MADE-UP weather, the same for a city on every day.

Run by Ordinaut as examples/tools.json says, or by hand: `python weather_mcp.py` (MCP over stdio).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated, TypedDict

from mcp.server import MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

READ_ONLY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
SKIES = ("clear", "partly cloudy", "overcast", "light rain", "snow", "fog")

server = MCPServer("weather-mcp", instructions="Made-up weather for examples and tests.")


class Forecast(TypedDict):
    """Temperatures in degrees Celsius, wind in km/h."""

    city: str
    summary: str
    temperature: float
    low: float
    high: float
    wind: int
    made_up: bool


@server.tool(title="Forecast for today", annotations=READ_ONLY)
def forecast(city: Annotated[str, Field(description="Any name.", max_length=100)]) -> Forecast:
    """Give today's (made-up) weather of a city."""
    seed = sha256(city.casefold().encode()).digest()
    low = seed[0] % 25 - 5.0
    high = low + 3 + seed[1] % 9
    return Forecast(
        city=city,
        summary=SKIES[seed[2] % len(SKIES)],
        temperature=(low + high) / 2,
        low=low,
        high=high,
        wind=seed[3] % 40,
        made_up=True,
    )


if __name__ == "__main__":
    server.run()
