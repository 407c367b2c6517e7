"""Attention over space and time."""
