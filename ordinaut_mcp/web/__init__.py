"""The world outside over HTTP: requests of pipelines, and calls of language models."""
