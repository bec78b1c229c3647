"""An issuer's keys: which are taken, from where, within which time, and how long they count."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from marketing_platform.access.token_keys import PublishedKeys, published, token_keys
from marketing_platform.access.token_settings import TokenSettings
from marketing_platform.errors import StoreUnavailable
from marketing_platform_tests.access.issuer import AUDIENCE, ISSUER, SHARED, ec_entry, jwks, rsa_entry

GOOD = jwks(rsa_entry("one"))


class Site:
    """What the issuer's web server answers."""

    def __init__(self) -> None:
        self.status, self.body, self.headers = 200, GOOD, {}
        self.pause = 0.0
        self.asked = 0


@pytest.fixture
def site() -> Iterator[tuple[Site, str]]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked += 1
            self.send_response(site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.end_headers()
            for start in range(0, len(site.body), 50 if site.pause else len(site.body)):
                try:
                    self.wfile.write(site.body[start : start + (50 if site.pause else len(site.body))])
                except OSError:
                    return
                time.sleep(site.pause)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield site, f"http://127.0.0.1:{server.server_port}/jwks.json"
    server.shutdown()
    server.server_close()


def keys_at(url: str, **given: Any) -> PublishedKeys:
    keys = token_keys(TokenSettings(issuer=ISSUER, audience=AUDIENCE, jwks_url=url, **given))
    assert isinstance(keys, PublishedKeys)
    return keys


def test_only_keys_for_verifying_what_we_take_are_kept() -> None:
    entries = [
        rsa_entry("rsa"),
        ec_entry("ec", use="sig", alg="ES256"),
        rsa_entry("encrypts", use="enc"),
        rsa_entry("other algorithm", alg="RS512"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": "edwards"},
        {name: value for name, value in rsa_entry("x").items() if name != "kid"},
        "no key at all",
    ]
    found = published(json.dumps({"keys": entries}).encode())
    assert {kid: key.algorithm_name for kid, key in found.items()} == {"rsa": "RS256", "ec": "ES256"}


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys": {}}',
        b'{"keys": []}',
        jwks({"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"}),
        jwks(rsa_entry("one"), ec_entry("one")),
        jwks({"kty": "RSA", "kid": "one"}),
        jwks({"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "one"}),
        jwks(rsa_entry("one"), {"padding": "x" * 70_000}),
    ],
    ids=range(10),
)
def test_what_is_no_set_of_keys_is_refused_and_the_old_ones_stay(tmp_path: Path, document: bytes) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(GOOD)
    keys = token_keys(TokenSettings(issuer=ISSUER, audience=AUDIENCE, jwks_file=path))
    keys.refresh()
    path.write_bytes(document)
    with pytest.raises(StoreUnavailable, match="no keys could be read"):
        keys.refresh()
    assert keys.find("one") is not None


def test_they_are_read_from_a_url(site: tuple[Site, str]) -> None:
    keys = keys_at(site[1])
    keys.refresh()
    assert keys.find("one") is not None
    assert keys.find("two") is None
    assert keys.find(None) is None
    assert not keys.due


def test_a_slow_issuer_is_given_up(site: tuple[Site, str]) -> None:
    answers, url = site
    answers.pause = 0.1
    keys = keys_at(url, answer_seconds=0.3)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="not whole within"):
        keys.refresh()
    assert time.monotonic() - began < 2


def test_a_flood_of_keys_is_not_read_to_its_end(site: tuple[Site, str]) -> None:
    answers, url = site
    answers.body = b" " * 5_000_000
    with pytest.raises(StoreUnavailable, match="longer than"):
        keys_at(url).refresh()


def test_a_redirect_is_not_followed(site: tuple[Site, str]) -> None:
    answers, url = site
    answers.status, answers.headers = 302, {"Location": url}
    with pytest.raises(StoreUnavailable, match="302"):
        keys_at(url).refresh()
    assert answers.asked == 1


def test_they_are_due_again_after_a_while_and_count_for_longer() -> None:
    broken = False

    def read() -> bytes:
        if broken:
            raise OSError("gone")
        return GOOD

    keys = PublishedKeys("here", read, seconds=0.05)
    assert keys.due
    keys.refresh()
    assert not keys.due
    assert not keys.may_have_changed, "not asked again at once, whatever key ids are tried"
    time.sleep(0.1)
    assert keys.due
    assert keys.may_have_changed
    broken = True
    with pytest.raises(StoreUnavailable):
        keys.refresh()
    assert keys.find("one") is not None
    time.sleep(0.6)
    with pytest.raises(StoreUnavailable, match="could not be read"):
        keys.find("one")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"issuer": ISSUER, "audience": AUDIENCE}, "exactly one of"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "secret": SHARED, "jwks_file": "x"}, "exactly one of"),
        ({"issuer": ISSUER, "secret": SHARED}, "MARKETING_JWT_AUDIENCE"),
        ({"audience": AUDIENCE, "secret": SHARED}, "MARKETING_JWT_ISSUER"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "secret": "short"}, "shorter than 32"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "secret": "secret"}, "everybody knows"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": "http://login.example/k"}, "not HTTPS"),
        ({"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": "file:///etc/passwd"}, "pattern"),
    ],
    ids=range(8),
)
def test_half_a_setting_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TokenSettings(**given)


def test_without_settings_no_token_is_taken() -> None:
    assert not TokenSettings().on
