"""Supervised fine-tuning on answers that occur as often as the target says."""
