"""Predictions, their maps, and the folder they go to."""
