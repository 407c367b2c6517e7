"""The pictures, scenes and viewers of made videos."""
