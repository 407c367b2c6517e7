"""Densities of gaze: mixtures, maps, and recurrences that use them."""
