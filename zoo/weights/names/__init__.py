"""The names that published files give their tensors, and which layer each belongs to."""
