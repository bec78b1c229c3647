"""The stand-in provider, and encoders that are told of it by the environment alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from marketing_platform.encoders import Encoder, configured_encoder
from marketing_platform.settings import Settings
from marketing_platform_tests.encoders.stand_in import StandIn, standing_in

KEY = "s3cret-key"
Opened = Callable[..., Encoder]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with standing_in() as stand_in:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("MARKETING_ENCODER_API_KEY", KEY)
        monkeypatch.setattr("marketing_platform.encoders.remote._WAIT_INITIAL", 0.01)
        yield stand_in


@pytest.fixture(params=["openai", "gemini"])
def opened(request: pytest.FixtureRequest, provider: StandIn, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Opens the encoder of either dialect on the stand-in; keywords are MARKETING_ENCODER_… settings."""
    below = "/v1" if request.param == "openai" else ""
    monkeypatch.setenv("MARKETING_ENCODER_BASE_URL", provider.url + below)

    def open_one(*, live: bool = False, dimensions: int | None = 16, **settings: object) -> Encoder:
        for name, value in settings.items():
            monkeypatch.setenv(f"MARKETING_ENCODER_{name.upper()}", str(value))
        chosen = Settings(encoder=request.param, encoder_model="tiny", encoder_dimensions=dimensions)
        return configured_encoder(chosen, live=live)

    return open_one
