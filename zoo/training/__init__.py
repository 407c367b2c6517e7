"""Training: one engine for all recipes."""
