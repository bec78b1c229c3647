"""Similar users and recommended campaigns, each with the path that explains it."""
