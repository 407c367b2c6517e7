"""Layers for gaze densities: mixtures, maps, and recurrences that use them."""
