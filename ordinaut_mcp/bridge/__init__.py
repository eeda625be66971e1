"""Sessions to tool servers: the only package that is an MCP client."""
