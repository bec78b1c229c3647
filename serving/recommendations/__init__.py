"""Similar users, recommended campaigns and products, each with the path that explains it."""
