"""Evaluation of models and baselines on videos with recorded gaze."""
