"""Who calls, and whether they may: headers to a `Principal`, and a refusal to 401, 403 or 503.

`middleware` finds out who calls before anything else happens, and answers nothing; `permission` decides, as
a dependency of a route or for a path below FastAPI. Keys and tokens themselves: `marketing_platform/access/`.
"""
