"""Metrics: what is computed of counts, texts or a model. One file a family; ``catalog`` holds the list."""
