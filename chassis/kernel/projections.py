"""Identifier → customer, as each service keeps it: the one projection that business rows are joined through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chassis.outbox import Tx


class Assignment(Protocol):
    """identity's IdentifiersAssigned, whatever package it was generated into."""

    corp_id: str
    # Empty: the identifiers name nobody.
    customer_id: str
    version: int

    @property
    def identifier_ids(self) -> Iterable[str]: ...


async def assign_identifiers(tx: Tx, assignments: Iterable[Assignment]) -> None:
    """The highest version wins, per identifier: any order and any repetition give the same rows."""
    newest: dict[tuple[str, str], tuple[str, int]] = {}
    for assignment in assignments:
        for identifier_id in assignment.identifier_ids:
            key = (assignment.corp_id, identifier_id)
            if key not in newest or newest[key][1] < assignment.version:
                newest[key] = (assignment.customer_id, assignment.version)
    keys = sorted(newest)
    await tx.connection.execute(
        "insert into customer_identifiers as mine (corp_id, identifier_id, customer_id, version)"
        " select * from unnest($1::text[], $2::uuid[], $3::uuid[], $4::bigint[])"
        " on conflict (corp_id, identifier_id) do update set customer_id = excluded.customer_id,"
        " version = excluded.version where mine.version < excluded.version",
        [corp_id for corp_id, _ in keys],
        [identifier_id for _, identifier_id in keys],
        [newest[key][0] or None for key in keys],
        [newest[key][1] for key in keys],
    )
