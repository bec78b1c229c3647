"""A/B tests: exposures of what answers show, and what experiments have shown so far."""
