"""Whether the API can answer, and from what."""
