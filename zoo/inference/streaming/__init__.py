"""Run a model over whole videos, chunk by chunk."""
