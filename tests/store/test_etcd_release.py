"""Releases of etcd that are known to lose what they acknowledged, or to leave it unsaid."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE

import pytest

from caracal_grpc.store.embedded import find_etcd
from caracal_grpc.store.etcd_release import is_leaky
from tests.support.etcd import EtcdProcess, Opener


@pytest.mark.parametrize("version", ["2.3.8", "3.3.27", "3.4.20", "3.4.35", "3.5.0", "3.5.17"])
def test_releases_before_the_mends_are_leaky(version: str) -> None:
    """Each line up to the patch that mended it."""
    assert is_leaky(version)


@pytest.mark.parametrize(
    "version", ["3.4.36", "3.5.18", "3.5.21-rc.0", "3.6.0", "3.10.0", "4.0.0", "", "main"]
)
def test_releases_since_are_not(version: str) -> None:
    """Nor is one whose version we cannot read: the warning says what is known."""
    assert not is_leaky(version)


async def test_the_store_knows_the_release_that_it_talks_to(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """As the binary says it."""
    asked = await asyncio.create_subprocess_exec(find_etcd(), "--version", stdout=PIPE)
    said, _ = await asked.communicate()
    release = await open_store(etcd.settings()).release()
    assert f"etcd Version: {release}\n" in said.decode()
