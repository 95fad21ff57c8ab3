"""Run folders: what is on disk, what identifies a run, which draws are missing."""
