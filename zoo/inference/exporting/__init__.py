"""Formats for model export."""
