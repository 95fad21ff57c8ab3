"""Exports tasks for lm-evaluation-harness."""
