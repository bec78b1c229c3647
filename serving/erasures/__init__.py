"""Forgetting a user, and the proof of it."""
