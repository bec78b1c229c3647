"""Segments of the release: which there are, who belongs to them, and who would to one that is tried."""
