"""The pure part: schedules, pipelines, runs. It receives the time and never reads it."""
