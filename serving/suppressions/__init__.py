"""Taking an item or a user out of recommendations at once, and letting them in again."""
