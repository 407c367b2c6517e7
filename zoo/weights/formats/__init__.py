"""Readers of weight file formats, each without its framework."""
