"""Sample data: a made-up retailer's exports, the same bytes for the same arguments.

What the world is like (products, campaigns, names, what customers ask) lies in `world/*.yaml`;
`world.py` reads it. `people`, `activity`, `messages`, `shop` and `adverts` draw what happens, as arrays;
`texts` turns arrays into the text of a field, `exports` lays fields out as files, and `flaws` plants the
errors real exports have. `generator` puts it together. Reading such files is the business of
`marketing_platform.sources`, and nothing here knows the canonical tables.
"""

from marketing_platform.sample.generator import SampleSummary, write_events, write_sample

__all__ = ["SampleSummary", "write_events", "write_sample"]
