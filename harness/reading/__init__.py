"""Readers: the text of a draw becomes a class."""
