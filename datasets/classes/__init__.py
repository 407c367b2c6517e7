"""Class names in their published order."""
