"""The outbox's tables: `outbox_batches`, and `outbox`, to which only the release before still writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import orjson
from uuid_utils import uuid7

from chassis.facts import Fact
from chassis.pool import Connection

# Corp and batch id: the facts that one transaction states of one corp.
BatchKey = tuple[str, str]
Batches = Mapping[BatchKey, Sequence[Fact]]


async def insert(connection: Connection, facts: Iterable[Fact]) -> Batches:
    """Keeps the facts until they are confirmed, one row a corp."""
    by_corp: dict[str, list[Fact]] = {}
    for fact in facts:
        by_corp.setdefault(fact.corp_id, []).append(fact)
    batches = {(corp_id, str(uuid7())): by_corp[corp_id] for corp_id in sorted(by_corp)}
    await connection.executemany(
        """
        insert into outbox_batches (corp_id, batch_id, subjects, headers, payloads)
        values ($1, $2, $3, $4, $5)
        """,
        [(*key, *_columns(batch)) for key, batch in batches.items()],
    )
    return batches


async def delete(connection: Connection, keys: Sequence[BatchKey]) -> None:
    await connection.execute(
        """
        delete from outbox_batches
        where (corp_id, batch_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        [corp_id for corp_id, _ in keys],
        [batch_id for _, batch_id in keys],
    )


async def lock_older(connection: Connection, seconds: float, limit: int) -> Batches:
    """Batches that have waited so long and that nobody else is sweeping, oldest first."""
    rows = await connection.fetch(
        """
        select corp_id, batch_id, subjects, headers, payloads
        from outbox_batches
        where created_at < now() - make_interval(secs => $1)
        order by created_at
        limit $2
        for update skip locked
        """,
        seconds,
        limit,
    )
    return {
        (row["corp_id"], row["batch_id"]): [
            _fact(row["corp_id"], subject, headers, payload)
            for subject, headers, payload in zip(row["subjects"], row["headers"], row["payloads"], strict=True)
        ]
        for row in rows
    }


async def put_behind(connection: Connection, batches: Batches) -> None:
    """Keeps only these facts of the batches, and lets all others go first: one that cannot be published holds up
    nobody."""
    await connection.executemany(
        """
        update outbox_batches
        set subjects = $3, headers = $4, payloads = $5, created_at = now()
        where corp_id = $1 and batch_id = $2
        """,
        [(*key, *_columns(batch)) for key, batch in sorted(batches.items())],
    )


async def lock_older_singles(connection: Connection, seconds: float, limit: int) -> list[Fact]:
    """The same for the rows of the release before."""
    rows = await connection.fetch(
        """
        select corp_id, subject, headers, payload
        from outbox
        where created_at < now() - make_interval(secs => $1)
        order by created_at
        limit $2
        for update skip locked
        """,
        seconds,
        limit,
    )
    return [_fact(row["corp_id"], row["subject"], row["headers"], row["payload"]) for row in rows]


async def delete_singles(connection: Connection, facts: Sequence[Fact]) -> None:
    await connection.execute(
        """
        delete from outbox
        where (corp_id, fact_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        [fact.corp_id for fact in facts],
        [fact.id for fact in facts],
    )


async def put_singles_behind(connection: Connection, facts: Sequence[Fact]) -> None:
    await connection.execute(
        """
        update outbox
        set created_at = now()
        where (corp_id, fact_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        [fact.corp_id for fact in facts],
        [fact.id for fact in facts],
    )


async def count(connection: Connection) -> int:
    """Facts that wait to be confirmed."""
    waiting: int = await connection.fetchval(
        """
        select (select count(*) from outbox)
            + (select coalesce(sum(cardinality(subjects)), 0) from outbox_batches)::bigint
        """
    )
    return waiting


def _columns(facts: Sequence[Fact]) -> tuple[list[str], list[str], list[bytes]]:
    return (
        [fact.subject for fact in facts],
        [orjson.dumps(fact.headers).decode() for fact in facts],
        [fact.payload for fact in facts],
    )


def _fact(corp_id: str, subject: str, headers: str, payload: bytes) -> Fact:
    known = orjson.loads(headers)
    return Fact(known["ce-id"], corp_id, subject, known, payload)


async def oldest(connection: Connection) -> timedelta | None:
    """How long the oldest facts have waited to be confirmed; None when none wait."""
    age: timedelta | None = await connection.fetchval("select now() - min(created_at) from outbox_batches")
    return age
