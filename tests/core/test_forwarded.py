"""What proxies say of their callers' certificates: read in one way only, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.forwarded import MAX_HEADER, nearest

HASH = "ab" * 32
OTHER = "cd" * 32
SPIFFE = "spiffe://mesh.example/ns/shop/sa/web"
ENVOY = (
    f'By=spiffe://mesh.example/ns/shop/sa/gate;Hash={HASH};Subject="CN=web,O=shop";'
    f"URI={SPIFFE};DNS=web.shop.test"
)


def test_what_envoy_sends() -> None:
    """With a quoted subject, in which commas end nothing."""
    found = nearest(ENVOY)
    assert (found.uri, found.dns_names) == (SPIFFE, ("web.shop.test",))
    assert found.digest.hex() == HASH


@pytest.mark.parametrize(
    ("header", "uri", "names"),
    [
        (f"Hash={HASH}", "", ()),
        (f"hash={HASH};uri={SPIFFE}", SPIFFE, ()),
        (f"Hash={HASH.upper()};URI=;DNS=a.test;DNS=b.test", "", ("a.test", "b.test")),
        (f'Hash="{HASH}";URI="{SPIFFE}"', SPIFFE, ()),
        (f'Hash={HASH};Subject="CN=a;URI=spiffe://x/y"', "", ()),
        (f'Hash={HASH};Subject="CN=a\\",URI=spiffe://x/y"', "", ()),
        (f'Hash={HASH};Subject="CN=a\\\\";URI={SPIFFE}', SPIFFE, ()),
        (f'Hash={HASH};Subject="CN=a\\, b"', "", ()),
        (f"Hash={HASH};Cert=-----BEGIN%20CERTIFICATE-----%0AMIIB%3D", "", ()),
        (f"Hash={HASH};URI=https://example.com/a?b=c", "https://example.com/a?b=c", ()),
        (f"By=;Hash={HASH}", "", ()),
    ],
)
def test_well_formed(header: str, uri: str, names: tuple[str, ...]) -> None:
    """Keys in any case, values quoted or not, empty ones for what is not there."""
    found = nearest(header)
    assert (found.uri, found.dns_names) == (uri, names)


def test_nearest_hop_is_the_last() -> None:
    """Whoever came before said so to the one after."""
    for joint in (",", ", "):
        found = nearest(f"Hash={OTHER};URI=spiffe://eve/x{joint}{ENVOY}")
        assert (found.uri, found.digest.hex()) == (SPIFFE, HASH)


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "x",
        "=",
        "Hash",
        "Hash=",
        f"Hash={HASH[:-2]}",
        f"Hash={HASH}00",
        "Hash=" + "zz" * 32,
        f"URI={SPIFFE}",
        f"Hash={HASH};Hash={OTHER}",
        f"Hash={HASH};Hash={HASH}",
        f"Hash={HASH};hash={OTHER}",
        f"Hash={HASH};URI={SPIFFE};URI=spiffe://mesh.example/other",
        f"Hash={HASH};URI={SPIFFE};uri={SPIFFE}",
        f"Hash={HASH};By=a;By=b",
        f"Hash={HASH};Role=admin",
        f"Hash={HASH};",
        f";Hash={HASH}",
        f"Hash={HASH};;URI={SPIFFE}",
        f"Hash={HASH},",
        f",Hash={HASH}",
        f"Hash={HASH},,Hash={HASH}",
        f"Hash={HASH} ;URI={SPIFFE}",
        f"Hash={HASH}; URI={SPIFFE}",
        f" Hash={HASH}",
        f"Hash ={HASH}",
        f'Hash={HASH};Subject="CN=a',
        f'Hash={HASH};Subject="CN=a"b',
        f'Hash={HASH};Subject=CN="a"',
        f'Hash={HASH};Subject="CN=a\\"',
        f"Hash={HASH};Subject=CN=a\\",
        f"Hash={HASH};URI={SPIFFE}\n",
        f"Hash={HASH};DNS=\x00",
        f"Hash={HASH};DNS=é.test",
        f"nonsense,Hash={HASH}",
        f"Hash={HASH},nonsense",
        f"URI=spiffe://eve/x,Hash={HASH}",
        f"Hash={HASH};Subject=" + "x" * MAX_HEADER,
    ],
)
def test_malformed_or_ambiguous(header: str) -> None:
    """Anywhere in it, also in a hop that does not count."""
    with pytest.raises(ValueError, match=r"^(it|a|the) "):
        nearest(header)


@given(st.text(alphabet='ab=;,"\\ Hash URI DNS', max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    """It is read, or refused."""
    try:
        nearest(f"Hash={HASH};{text}")
    except ValueError:
        return
    assert nearest(f"Hash={HASH};{text}").digest
