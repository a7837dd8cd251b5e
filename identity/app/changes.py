"""Tells open pages which customers have changed: once a corp and batch, however many facts a batch has."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.kernel.changes import MOST_IDS, publish_changed
from chassis.outbox import Tx
from identity.db import customers

NOUN = "customers"


async def tell_customers(tx: Tx, identifiers: Iterable[tuple[str, str]]) -> None:
    """`identifiers`: (corp, identifier id) of whom something has changed, after it was written. Of more than 50 of a
    corp nobody is named, and nobody is looked up."""
    by_corp: dict[str, set[str]] = {}
    for corp_id, identifier_id in identifiers:
        by_corp.setdefault(corp_id, set()).add(identifier_id)
    for corp_id in sorted(by_corp):
        ids = by_corp[corp_id]
        named = await customers.of_identifiers(tx.connection, corp_id, sorted(ids)) if len(ids) <= MOST_IDS else ids
        if named:
            publish_changed(tx, corp_id, NOUN, named)
