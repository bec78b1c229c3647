"""Features of users, as the pipeline prepared them."""
