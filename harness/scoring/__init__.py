"""Scores: counts compared with a target. Needs numpy and scipy only."""
