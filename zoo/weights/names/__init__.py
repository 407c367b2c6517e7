"""The names of tensors in published files, and the layers that they belong to."""
