"""Real servers on loopback for `make test-servers`: one module per server, started once per session.

Each module says where its server comes from, installs it into a cache folder that outlives the
run (`.servers/` in the project, ignored by git), and starts it in a folder of its own. Nothing is
skipped here: a server that does not start is a failure.
"""
