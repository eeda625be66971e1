"""The PostgreSQL and Valkey that come along, and the one local runtime of a home."""
