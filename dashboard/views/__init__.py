"""A page per module: `page()` draws it. Pages lay out; what they show is asked and worded elsewhere."""
