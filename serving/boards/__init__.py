"""Vision boards of users, drawn when asked for."""
