"""The composition root: the one place that builds pools, stores, services and loops."""
