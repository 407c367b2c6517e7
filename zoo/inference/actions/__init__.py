"""Predict the actions shown in videos."""
