"""Videos to the actions they show."""
