"""Engines: the only part of distalign that loads a model."""
