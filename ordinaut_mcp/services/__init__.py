"""What callers may ask for: one class for each noun, whoever the caller is.

MCP tools, HTTP and the command line call these and decide nothing themselves.
"""
