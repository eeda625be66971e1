"""Redis Streams: the only package that speaks Redis."""
