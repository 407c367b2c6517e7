"""Models and baselines measured on videos with gaze."""
