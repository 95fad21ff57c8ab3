"""Scores: counts against a target. numpy and scipy only."""
