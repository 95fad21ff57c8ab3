"""Metrics: numbers computed from counts, from texts or for a model. ``catalog`` lists them all."""
