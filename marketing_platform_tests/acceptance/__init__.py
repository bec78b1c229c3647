"""The issue's promises, end to end: files land, a release comes out, the API answers from it."""
