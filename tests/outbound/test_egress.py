"""Which addresses may be called."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from caracal_grpc.outbound.egress import LOOPBACK, is_loopback, is_permitted

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:82a::200e",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
REFUSED = [
    *(
        "0.0.0.1",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
    ),
    *("127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
    *("192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::10.0.0.1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "2001::1", "2001:db8::1", "2002:a00:1::1", "3fff::1", "100::1", "5f00::1"),
    *("::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b::10.0.0.1", "64:ff9b:1::1.1.1.1"),
]
NO_ADDRESSES = [
    "",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "1.1.1.1 ",
    "[::1]",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_internet_may_be_called(address: str) -> None:
    """Also in the forms in which IPv6 carries an address of IPv4."""
    assert is_permitted(address)


@pytest.mark.parametrize("address", REFUSED)
def test_nothing_nearer_may_be_called(address: str) -> None:
    """Private, link-local, loopback, shared, multicast, reserved, however it is wrapped."""
    assert not is_permitted(address)


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_no_plain_address_may_not_be_called(text: str) -> None:
    """Whatever a C library would make of it, and whatever is allowed."""
    assert not is_permitted(text, (*LOOPBACK, ip_network("0.0.0.0/0"), ip_network("::/0")))


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"])
def test_allowed_network_may_be_called(address: str) -> None:
    """In each form of its addresses, and nothing beside it."""
    allowed = (ip_network("10.1.0.0/16"),)
    assert is_permitted(address, allowed)
    assert not is_permitted("10.2.0.1", allowed)
    assert not is_permitted("127.0.0.1", allowed)


def test_loopback_is_told_by_its_address() -> None:
    """Names and odd spellings are not it."""
    told = [is_loopback(each) for each in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")]
    assert told == [True] * 4
    assert not any(is_loopback(each) for each in ("localhost", "127.1", "10.0.0.1", "::", ""))
