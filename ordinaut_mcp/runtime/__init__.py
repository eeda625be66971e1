"""The loops: supervisor, scheduler, worker, reaper."""
