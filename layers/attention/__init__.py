"""Attention over places and moments."""
