"""Which hosts are this machine: what is bound to them needs no keys, and no proxy leads to them."""

from ipaddress import ip_address

NAMES = ("localhost", "localhost.localdomain")
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound to
"""What is bound to all addresses is reached on this one."""


def is_loopback(host: str) -> bool:
    """Whether a host name or address, an IPv6 one in brackets or not, means this machine only."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") in NAMES


def local_url(host: str, port: int) -> str:
    """The address on which this machine reaches what is bound to this host."""
    bare = host.strip("[]")
    bare = LOOPBACK_OF.get(bare, bare)
    return f"http://[{bare}]:{port}" if ":" in bare else f"http://{bare}:{port}"
