"""Run folders: what is on disk, what identifies a run, what is left to draw."""
