"""What the API tells those who run it: lines, figures, traces, and who was refused.

`exchange.py` is one request as it is seen, for any ASGI code: its id, its line, its figures, its span.
`lines.py` carries lines to stdout, `metrics.py` declares figures and `exposition.py` renders them,
`sampling.py` reads those that nobody reports, `tracing.py` and `traced_stores.py` make spans, `security.py`
tells of refusals. How a line looks is set by `serving/logs.py`. Nothing here knows a user: routes are
templates, callers are ids of keys, addresses are networks.
"""
