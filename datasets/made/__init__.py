"""The pictures, scenes and viewers of synthetic videos."""
