"""What the knowledge graph of a release knows about a user."""
