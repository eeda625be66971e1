"""The built-in tools that pipelines may use, one file for each group."""
