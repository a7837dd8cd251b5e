"""Tells open pages that something they show has changed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from bihuan.staff.v1.facts_pb2 import NounChanged

from chassis.moments import stamp
from chassis.outbox import Tx

MOST_IDS = 50
# Where a subject of STAFF names the recipient: nobody in particular. No userid's hash looks like it.
EVERYBODY = "_"


def publish_changed(tx: Tx, corp_id: str, noun: str, ids: Iterable[str]) -> None:
    """`noun`: the collection as REST names it (live-codes). Of more than 50 ids none is named."""
    named = sorted(set(ids))
    tx.publish(
        NounChanged(
            corp_id=corp_id,
            noun=noun,
            ids=named if len(named) <= MOST_IDS else [],
            at=stamp(datetime.now(UTC)),
        ),
        corp_id=corp_id,
        subject_suffix=f".{corp_id}.{EVERYBODY}",
    )
