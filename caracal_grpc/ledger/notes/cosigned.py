"""The newest checkpoint that each witness has cosigned, as it is kept beside the tree."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, LargeBinary, cast, insert, select, update

from caracal_grpc.ledger.port import Cosigned
from caracal_grpc.ledger.schema import COSIGNED

_NOTE: Final = cast(COSIGNED.c.note, LargeBinary).label("note")
# Cast, because a row that was edited by hand may hold anything.


def keep_cosigned(connection: Connection, zone: str, cosigned: Cosigned) -> None:
    """Puts a cosigned checkpoint in the place of the witness's older one; a larger one stays."""
    place = (COSIGNED.c.zone == zone, COSIGNED.c.witness == cosigned.witness)
    values = {"size": cosigned.size, "note": cosigned.note}
    newer = update(COSIGNED).where(*place, COSIGNED.c.size <= cosigned.size).values(values)
    if connection.execute(newer).rowcount:
        return
    if connection.scalar(select(COSIGNED.c.size).where(*place)) is None:
        connection.execute(insert(COSIGNED), {"zone": zone, "witness": cosigned.witness, **values})


def find_cosigned(connection: Connection, zone: str) -> tuple[Cosigned, ...]:
    """What is kept of a zone, in the order of the witnesses' keys."""
    query = select(COSIGNED.c.witness, COSIGNED.c.size, _NOTE).where(COSIGNED.c.zone == zone)
    rows = connection.execute(query.order_by(COSIGNED.c.witness))
    return tuple(
        Cosigned(witness, size, bytes(note).decode("utf-8", "replace"))
        for witness, size, note in rows
    )
