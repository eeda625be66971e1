"""MCP tools: one file for each noun; they decide nothing."""
