"""Training on still images: cached features, scores and half-precision weights."""
