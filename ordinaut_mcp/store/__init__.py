"""PostgreSQL: SQL constants beside their functions. The only package that speaks SQL."""
