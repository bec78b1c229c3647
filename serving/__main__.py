"""`python -m serving --host --port`: the API alone; everything else comes from the environment."""

from __future__ import annotations

import argparse

from marketing_platform.settings import load_settings
from serving import run


def main() -> None:
    """Read the command line and serve."""
    settings = load_settings()
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve the current release.")
    parser.add_argument("--host", default=settings.api_host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=settings.api_port, help="port to listen on (%(default)s)")
    given = parser.parse_args()
    run(settings.model_copy(update={"api_host": given.host, "api_port": given.port}))


if __name__ == "__main__":
    main()
