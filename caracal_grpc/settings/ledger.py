"""The settings that say where the ledger is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.engines.location import is_server, server_parameters
from caracal_grpc.settings.checked import Checked, Problems
from caracal_grpc.settings.files import read_secret


def _text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


class LedgerPart(Checked):
    """Where the ledger is."""

    ledger: Annotated[str, BeforeValidator(_text)] = Field(
        description="the SQLite file of the ledger, for one replica, or a PostgreSQL database for "
        "several: postgresql://user@host1,host2/database?sslmode=verify-full"
    )
    ledger_password_file: Path | None = Field(
        None, description="a file that holds the password of the PostgreSQL user, mode 0600"
    )

    def problems(self) -> Problems:
        """What no single field shows."""
        found = super().problems()
        if not is_server(self.ledger):
            if self.ledger_password_file is not None:
                found.append(("ledger_password_file", "is for PostgreSQL only"))
            return found
        try:
            server_parameters(self.ledger)
        except CaracalError as error:
            found += [(each.field, each.description) for each in error.violations]
        return found

    def ledger_password(self) -> str | None:
        """The password of the PostgreSQL user, if there is one; raises `FIELD_INVALID`."""
        return read_secret("ledger_password_file", self.ledger_password_file)
