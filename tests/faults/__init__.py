"""Faults and hostile input: each ends in a result or in one message."""
