"""Atomic file writing, and safe readers of untrusted files that cannot execute code."""
