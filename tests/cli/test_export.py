"""`export`: a zone as a manifest that, applied, changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.cli.errors import CliError
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.manifest.layout import files_of_zone, write_folder
from caracal_grpc.cli.manifest.outcome import outcome
from caracal_grpc.cli.manifest.schema import schema
from caracal_grpc.cli.manifest.written import text_of, value_of
from caracal_grpc.v1 import zone_pb2
from tests.cli.conftest import Shop
from tests.cli.support import Dev
from tests.support.foreign import ForeignSigner
from tests.support.json_schema import faults

JWKS = json.dumps({"keys": [ForeignSigner.generate("ES256", "web").jwk]})
ALL = """\
zone: {zone}
settings:
  max_hops: 7
  chain_visibility: last
  jwks_max_age_seconds: 3600
  limits: {{application_per_second: 50, zone_burst: 77}}
applications:
- {{name: agent, labels: ["no", "1", "über"]}}
- name: web
  identities:
  - {{spiffe_id: "spiffe://shop.example/ns/*/sa/web"}}
  - {{dns_name: web.shop.example}}
  - {{certificate_thumbprint: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}}
  - kubernetes: {{issuer: cluster, namespace: shop, service_account: web}}
  jwks: '{jwks}'
- {{name: orders, ceiling: [{{resource: "resource://orders/*", scopes: [orders:place]}}]}}
resources:
- name: resource://orders/*
  scopes: [orders:track, orders:place]
  max_ttl_seconds: 60
  may_act: [{{actor: orders, subjects: [agent, corp/*]}}]
issuers:
- {{name: corp, issuer: "https://idp.example", audience: shop}}
proof_systems:
- name: vault
  issuer: https://vault.example
  audience: shop
  jwks_uri: https://vault.example/keys
  algorithms: [EdDSA]
  max_age_seconds: 30
workload_issuers:
- {{name: cluster, issuer: "https://k8s.example"}}
- {{name: mesh, issuer: "spiffe://shop.example", jwks_uri: "https://mesh.example/bundle"}}
webhooks:
- {{name: desk, url: "https://desk.example/hook"}}
grants:
- application: agent
  resource: resource://orders/*
  scopes: [orders:place]
  labels: ["no"]
  ttl_seconds: 30
  step_up: [orders:place]
  approval: {{reviews: 1, reviewers: [orders, corp/alice], ttl_seconds: 60, proof_system: vault}}
- {{application: orders, resource: resource://orders/o-1, scopes: [orders:track], users: [corp/*]}}
"""
POLICY = "policy: {modules: [authz.rego], tests: [authz_test.rego]}\n"
REGO = 'package caracal.authz\n\n# tabs\tand "quotes": ü  \nresult := {"decision": "deny"}\n'
TEST = """\
package caracal.authz_test

import data.caracal.authz

test_denies if authz.result.decision == "deny"
"""


@pytest.mark.parametrize("rego", [False, True])
def test_what_is_exported_changes_nothing(dev: Dev, tmp_path: Path, rego: bool) -> None:
    """Everything that a zone can have, from stdout and from a folder; not even with prune."""
    zone = f"exported-{rego}".lower()
    source = tmp_path / "source"
    source.mkdir()
    (source / "zone.yaml").write_text(ALL.format(zone=zone, jwks=JWKS) + (POLICY if rego else ""))
    (source / "authz.rego").write_text(REGO)
    (source / "authz_test.rego").write_text(TEST)
    applied = dev.run("apply", "-f", source, "--credentials", tmp_path)
    assert applied.code == 0, applied.err
    (tmp_path / "printed.yaml").write_text(dev.run("export", "--zone", zone).out)
    written = dev.run("export", "--zone", zone, "-o", tmp_path / "folder")
    files = ["zone.yaml", *(["modules/authz.rego", "tests/authz_test.rego"] if rego else [])]
    assert written.out.splitlines() == [f"{tmp_path}/folder/{name}" for name in files]
    for manifest in (tmp_path / "printed.yaml", tmp_path / "folder"):
        again = dev.run("plan", "-f", manifest, "--prune", "--json")
        assert again.json["changes"] == [], again.out
        assert dev.run("diff", "-f", manifest, "--prune").out == ""
    if rego:
        assert (tmp_path / "folder/modules/authz.rego").read_text() == REGO


def test_it_never_shows_a_secret(dev: Dev, shop: Shop) -> None:
    """Nor an id, which is the authority's to give."""
    out = dev.run("export", "--zone", shop.zone).out
    profile = json.loads(shop.profile("agent").read_text())
    assert profile["client_secret"] not in out
    assert profile["application_id"] not in out
    value = dev.run("export", "--zone", shop.zone, "--json").json
    assert faults(schema(), value) == []


def test_a_folder_that_is_used_is_left_alone(dev: Dev, shop: Shop, tmp_path: Path) -> None:
    """Nothing in it is replaced."""
    (tmp_path / "mine").write_text("")
    ended = dev.run("export", "--zone", shop.zone, "-o", tmp_path)
    assert (ended.code, ended.line) == (2, f"{tmp_path} is not empty; name another folder")


def test_an_unknown_zone(dev: Dev) -> None:
    """Is found out about."""
    assert dev.run("export", "--zone", "nowhere").code == 3


def test_a_module_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Whatever its name: what is no plain name is written out in the manifest."""
    zone = zone_pb2.Zone(name="a")
    for name in ("a/../../x.rego", "zone.yaml", "b/c.rego", "plain.rego", "x" * 80 + ".rego"):
        zone.policy.modules.add(name=name, source=f"package {name}\n")
    files = files_of_zone(zone)
    assert set(files) == {"zone.yaml", "modules/plain.rego"}
    write_folder(tmp_path / "new", files)
    read = Manifest.read(tmp_path / "new").message()
    assert read.policy == zone.policy


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    """With the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CliError) as refused:
        write_folder(tmp_path / "file" / "below", {"zone.yaml": ""})
    assert "cannot be written" in str(refused.value)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
SOME = TEXT.filter(bool)
NAMES = st.lists(SOME, unique=True, max_size=4)
WORDS = st.lists(TEXT, max_size=3)
SCOPES = st.lists(TEXT, min_size=1, max_size=3)
NUMBER = st.integers(0, 900)


ACCOUNT = st.fixed_dictionaries({"issuer": SOME, "namespace": SOME, "serviceAccount": SOME})
IDENTITY = st.one_of(
    st.fixed_dictionaries({name: SOME}) for name in ("spiffeId", "dnsName", "certificateThumbprint")
) | st.fixed_dictionaries({"kubernetes": ACCOUNT})


@st.composite
def zones(draw: st.DrawFn) -> zone_pb2.Zone:
    """Zones of everything, with texts of everything that can be in them."""
    issuer = {"issuer": draw(SOME), "audience": draw(SOME), "algorithms": draw(WORDS)}
    grant = {name: draw(WORDS) for name in ("subjects", "labels", "users", "step_up")}
    grant |= {"application": draw(SOME), "resource": draw(SOME), "ttlSeconds": draw(NUMBER)}
    grant["scopes"] = draw(SCOPES)
    if draw(st.booleans()):
        grant["approval"] = {"reviewers": draw(WORDS), "reviews": draw(st.integers(0, 16))}
    modules = [{"name": name, "source": draw(TEXT)} for name in draw(NAMES)]
    zone = {
        "name": draw(SOME),
        "applications": [
            {
                "name": name,
                "labels": draw(WORDS),
                "identities": draw(st.lists(IDENTITY, max_size=3)),
                "jwks": draw(TEXT),
            }
            for name in draw(NAMES)
        ],
        "resources": [
            {"name": name, "scopes": draw(SCOPES), "maxTtlSeconds": draw(NUMBER)}
            for name in draw(NAMES)
        ],
        "issuers": [{"name": name, **issuer} for name in draw(NAMES)],
        "workloadIssuers": [{"name": name, **issuer, "audience": ""} for name in draw(NAMES)],
        "webhooks": [{"name": name, "url": draw(SOME)} for name in draw(NAMES)],
    }
    if draw(st.booleans()):
        zone["policy"] = {"grants": [grant], "modules": modules[:2], "tests": modules[2:]}
    if draw(st.booleans()):
        zone["settings"] = {"maxHops": draw(st.integers(0, 10)), "limits": {"zoneBurst": 5}}
    return ParseDict(zone, zone_pb2.Zone())


@settings(max_examples=60, deadline=None)
@given(zone=zones(), folder=st.booleans())
def test_whatever_is_written_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, zone: zone_pb2.Zone, folder: bool
) -> None:
    """Line ends, control characters, what looks like a number, a date or a truth value."""
    present = outcome(zone_pb2.Zone(), zone, prune=True)
    path = tmp_path_factory.mktemp("written") / "zone"
    if folder:
        write_folder(path, files_of_zone(present))
    else:
        path.write_bytes(text_of(value_of(present)).encode())
    read = outcome(zone_pb2.Zone(), Manifest.read(path).message(), prune=True)
    assert value_of(read) == value_of(present)


@settings(max_examples=60, deadline=None)
@given(text=TEXT)
def test_nothing_that_is_written_steers_a_terminal(text: str) -> None:
    """What cannot be printed is escaped."""
    written = text_of({"zone": text, "more": [text]})
    assert all(each.isprintable() or each == "\n" for each in written)
