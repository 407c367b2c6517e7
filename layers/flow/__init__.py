"""Optical flow as layers."""
