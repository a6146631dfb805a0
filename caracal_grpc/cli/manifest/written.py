"""A zone written as a manifest: what, applied, would change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import yaml
from google.protobuf.message import Message

from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2

_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Keep = Callable[[str, zone_pb2.PolicyModule], Any]
"""How a module of a kind, `modules` or `tests`, is named in the manifest."""


def in_place(_: str, module: zone_pb2.PolicyModule) -> Any:
    """A module that is written out in the manifest."""
    return {"name": module.name, "source": module.source}


def value_of(zone: zone_pb2.Zone, keep: Keep = in_place) -> dict[str, Any]:
    """The zone as a manifest has it, whatever has a name in the order of the names."""
    value = {
        "zone": zone.name,
        "settings": _settings(zone.settings) if zone.HasField("settings") else None,
        "applications": [_application(each) for each in _by_name(zone.applications)],
        "resources": [_resource(each) for each in _by_name(zone.resources)],
        "issuers": [_said(each) for each in _by_name(zone.issuers)],
        "proof_systems": [_said(each) for each in _by_name(zone.proof_systems)],
        "workload_issuers": [_said(each) for each in _by_name(zone.workload_issuers)],
        "webhooks": [_said(each) for each in _by_name(zone.webhooks)],
    }
    said = {name: each for name, each in value.items() if each}
    return said | (_policy(zone.policy, keep) if zone.HasField("policy") else {})


def text_of(value: Mapping[str, Any]) -> str:
    """The manifest as YAML; what could steer a terminal is escaped."""
    text = _dumped(value, allow_unicode=True)
    if all(each.isprintable() or each == "\n" for each in text):
        return text
    return _dumped(value, allow_unicode=False)


def _dumped(value: Mapping[str, Any], *, allow_unicode: bool) -> str:
    text: str = yaml.dump(
        dict(value), Dumper=_Dumper, sort_keys=False, allow_unicode=allow_unicode, width=100
    )
    return text


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Text of several lines as it is, nothing by reference, and short lists in one line."""

    def ignore_aliases(self, _: Any) -> bool:
        """Manifests have no aliases."""
        return True


def _text(dumper: Any, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    node: yaml.Node = dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)
    return node


def _list(dumper: Any, value: list[Any]) -> yaml.Node:
    plain = all(isinstance(each, str) for each in value)
    node: yaml.Node = dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=plain)
    return node


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)


def _by_name(things: Iterable[Any]) -> list[Any]:
    return sorted(things, key=lambda each: each.name)


def _policy(policy: zone_pb2.Policy, keep: Keep) -> dict[str, Any]:
    kinds = (("modules", policy.modules), ("tests", policy.tests))
    rego = {kind: [keep(kind, each) for each in modules] for kind, modules in kinds if modules}
    grants: list[Any] = [_said(each) for each in policy.grants]
    return {"grants": grants} | ({"policy": rego} if rego else {})


def _application(application: application_pb2.Application) -> dict[str, Any]:
    said = {
        "name": application.name,
        "labels": list(application.labels),
        "ceiling": [_said(each) for each in application.ceiling],
        "identities": [_said(each) for each in application.identities],
        "jwks": application.jwks,
    }
    return {name: value for name, value in said.items() if value}


def _resource(resource: resource_pb2.Resource) -> dict[str, Any]:
    return {name: value for name, value in _said(resource).items() if name != "etag"}


def _settings(settings: zone_pb2.ZoneSettings) -> dict[str, Any]:
    word = zone_pb2.ChainVisibility.Name(settings.chain_visibility)
    visibility = word.removeprefix("CHAIN_VISIBILITY_").lower()
    return _said(settings) | {"chain_visibility": visibility}


def _said(message: Message) -> dict[str, Any]:
    """The fields of a message that are set, in the order of the proto, but for its etag."""
    return dict(_fields(message))


def _fields(message: Message) -> Iterator[tuple[str, Any]]:
    for field, value in message.ListFields():
        if field.name == "etag":
            continue
        if isinstance(value, Message):
            yield field.name, _said(value)
        elif isinstance(value, str | int):
            yield field.name, value
        else:
            yield field.name, [_said(each) if isinstance(each, Message) else each for each in value]
