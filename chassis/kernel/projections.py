"""Identifier → customer, as each service keeps it: the one projection that business rows are joined through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chassis.outbox import Tx
from chassis.projection import Projection

CUSTOMER_IDENTIFIERS = Projection(
    "customer_identifiers", {"corp_id": "text", "identifier_id": "uuid"}, {"customer_id": "uuid"}
)


class Assignment(Protocol):
    """identity's IdentifiersAssigned, whatever package it was generated into."""

    corp_id: str
    # Empty: the identifiers name nobody.
    customer_id: str
    version: int

    @property
    def identifier_ids(self) -> Iterable[str]: ...


async def assign_identifiers(tx: Tx, assignments: Iterable[Assignment]) -> list[tuple[str, str]]:
    """The highest version wins, per identifier. Returns (corp, identifier) of those about which there is news."""
    return await CUSTOMER_IDENTIFIERS.save(  # type: ignore[return-value]
        tx.connection,
        (
            {
                "corp_id": one.corp_id,
                "identifier_id": identifier_id,
                "customer_id": one.customer_id or None,
                "version": one.version,
            }
            for one in assignments
            for identifier_id in one.identifier_ids
        ),
    )
