"""Whole videos through a model, chunk by chunk."""
