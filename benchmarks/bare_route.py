"""What the API is compared with: one FastAPI route that returns the same bytes, and nothing around it.

`python -m benchmarks.bare_route BODY_FILE PORT` serves BODY_FILE as the recommendations of every user,
the way a tutorial would write it, with the server that the API uses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Response


def bare(body: bytes) -> FastAPI:
    """An application that knows neither keys nor limits, log, metrics or releases."""
    app = FastAPI()

    @app.get("/api/v1/users/{user_id}/recommendations")
    async def recommendations(user_id: str) -> Response:
        return Response(body, media_type="application/json")

    return app


if __name__ == "__main__":
    uvicorn.run(
        bare(Path(sys.argv[1]).read_bytes()), port=int(sys.argv[2]), access_log=False, log_level="error"
    )
