"""Training on still images: cached features, scores, and weights in half precision."""
