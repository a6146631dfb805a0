"""The settings that say where etcd is, and who we are to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import Field

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.settings.addresses import is_loopback
from caracal_grpc.settings.checked import Checked, Problems
from caracal_grpc.settings.files import read_file, read_secret
from caracal_grpc.store.etcd_settings import EtcdSettings

_CALLED: Final = {"cert": "etcd_cert_file"}
"""What a setting of the store is called here, unless it only gets `etcd_` in front."""


class EtcdPart(Checked):
    """Where etcd is."""

    etcd_endpoints: list[str] = Field(min_length=1, description="host:port of each etcd member")
    etcd_prefix: str = Field("caracal", description="the prefix of every key")
    etcd_ca_file: Path | None = Field(None, description="the CA of etcd, PEM")
    etcd_cert_file: Path | None = Field(None, description="our certificate for etcd, PEM")
    etcd_key_file: Path | None = Field(None, description="its private key, PEM")
    etcd_server_name: str | None = Field(None, description="the name in etcd's certificate")
    etcd_username: str | None = Field(None, description="the etcd user")
    etcd_password_file: Path | None = Field(None, description="a file that holds its password")

    def problems(self) -> Problems:
        """What no single field shows."""
        found = super().problems()
        if self.etcd_ca_file is None and not all(map(_is_safe, self.etcd_endpoints)):
            found.append(("etcd_ca_file", "is needed, since etcd is not on loopback"))
        if (self.etcd_username is None) != (self.etcd_password_file is None):
            found.append(("etcd_password_file", "and etcd_username go together"))
        return found

    def etcd(self) -> EtcdSettings:
        """The settings of the store, with its files read; raises `FIELD_INVALID`."""
        key = read_secret("etcd_key_file", self.etcd_key_file)
        values: dict[str, Any] = {
            "endpoints": self.etcd_endpoints,
            "prefix": self.etcd_prefix,
            "ca": read_file("etcd_ca_file", self.etcd_ca_file),
            "cert": read_file("etcd_cert_file", self.etcd_cert_file),
            "key": key.encode() if key else None,
            "server_name": self.etcd_server_name,
            "username": self.etcd_username,
            "password": read_secret("etcd_password_file", self.etcd_password_file),
        }
        try:
            return EtcdSettings(**values)
        except CaracalError as error:
            violation = error.violations[0]
            setting = _CALLED.get(violation.field, f"etcd_{violation.field}")
            raise field_invalid(setting, violation.description) from error


def _is_safe(endpoint: str) -> bool:
    return endpoint.startswith("https://") or is_loopback(endpoint.removeprefix("http://"))
