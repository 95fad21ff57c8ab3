"""Remedies that change the prompt alone: a chat template around the model's own."""
