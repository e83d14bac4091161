"""Which hosts are this machine, and how it reaches what it serves."""

import pytest
from stepwell_schemas.hosts import is_loopback, local_url


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("localhost.", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
        ("", False),
        ("127.0.0.1.nip.io", False),
        ("192.168.0.1", False),
    ],
)
def test_loopback_is_told_from_the_world(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("[::]", "http://[::1]:80"),
        ("fe80::1", "http://[fe80::1]:80"),
        ("engine.example", "http://engine.example:80"),
    ],
)
def test_what_is_bound_to_a_host_is_reached_at_its_address(host: str, url: str) -> None:
    assert local_url(host, 80) == url
