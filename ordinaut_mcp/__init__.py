"""Ordinaut: time, state and discipline for AI agents."""

__version__ = "0.1.0"
