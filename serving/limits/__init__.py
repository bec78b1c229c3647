"""What keeps one client from spoiling the API for the others.

`accepting.py` takes connections, `connections.py` guards what happens before a request exists, `caps.py` its
size and time, `shedding.py` how many go at once, `rates.py` how many a client may send, `bodies.py` what a
JSON body may be. How much each of them allows is in `settings.py`. What an error looks like belongs to
`serving/errors.py`; a datastore that fails is the matter of `serving/lookups.py`.
"""
