"""What could not be handled, kept whole with its reason: facts, effects and the rows of work queues.

Facts of a parked corp (chassis.parking) lie here too, marked as parked: they wait for the corp's release and show in
no list of dead letters. Listed, replayed and given up by REST (chassis.dead_letter_servicer) and by command
(`python -m chassis.dead_letters`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg

from chassis.errors import DomainError
from chassis.pool import Connection, Row, is_timeout

Position = tuple[datetime, str, str]  # at, durable, fact id
MOST_DETAIL = 2000
# The reason of what never ended within its bound.
TIMED_OUT = "TIMED_OUT"


def fact_id(headers: Mapping[str, str], fallback: str = "") -> str:
    """What a letter is known by; `fallback` names a message that has no id of its own."""
    return headers.get("ce-id") or headers.get("Nats-Msg-Id") or fallback


async def add(
    connection: Connection,
    durable: str,
    subject: str,
    headers: Mapping[str, str],
    payload: bytes,
    *,
    reason: str,
    detail: str,
    fallback_id: str = "",
) -> None:
    """Keeps a fact inside the caller's transaction. One that came back after a replay waits again."""
    await connection.execute(
        """
        insert into dead_letters (corp_id, durable, fact_id, subject, headers, payload, reason, detail)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (corp_id, durable, fact_id) do update
        set reason = excluded.reason,
            detail = excluded.detail,
            at = now(),
            replayed_at = null,
            outcome = null,
            parked = false
        """,
        headers.get("corp-id", ""),
        durable,
        fact_id(headers, fallback_id),
        subject,
        json.dumps(dict(headers)),
        payload,
        reason,
        detail[:MOST_DETAIL],
    )


async def page(
    connection: Connection,
    corp_id: str | None,
    durable: str | None,
    after: Position | None,
    limit: int,
    *,
    only: Iterable[str] | None = None,
    until: datetime | None = None,
) -> Sequence[Row]:
    """Those that wait, oldest first. `corp_id` None: every corp's; `only`: these ids; `until`: not younger."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from dead_letters
        where replayed_at is null
          and not parked
          and ($1::text is null or corp_id = $1)
          and ($2::text is null or durable = $2)
          and ($3::timestamptz is null or (at, durable, fact_id) > ($3, $4, $5))
          and ($6::text[] is null or fact_id = any($6))
          and ($8::timestamptz is null or at <= $8)
        order by at, durable, fact_id
        limit $7
        """,
        corp_id,
        durable,
        *(after or (None, None, None)),
        None if only is None else sorted(only),
        limit,
        until,
    )
    return rows


async def count(
    connection: Connection,
    corp_id: str | None,
    durable: str | None,
    until: datetime,
    *,
    only: Iterable[str] | None = None,
) -> int:
    """How many of them wait."""
    number: int = await connection.fetchval(
        """
        select count(*)
        from dead_letters
        where replayed_at is null
          and not parked
          and ($1::text is null or corp_id = $1)
          and ($2::text is null or durable = $2)
          and at <= $3
          and ($4::text[] is null or fact_id = any($4))
        """,
        corp_id,
        durable,
        until,
        None if only is None else sorted(only),
    )
    return number


async def get(connection: Connection, corp_id: str, durable: str, fact_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from dead_letters
        where corp_id = $1 and durable = $2 and fact_id = $3
        """,
        corp_id,
        durable,
        fact_id,
    )
    return row


async def close(
    connection: Connection, corp_id: str, durable: str | None, fact_ids: Iterable[str], outcome: str
) -> int:
    """Ends letters without a replay and returns how many waited: GIVEN_UP by people, RESOLVED by what came later."""
    status = await connection.execute(
        """
        update dead_letters
        set replayed_at = now(), outcome = $4
        where corp_id = $1
          and ($2::text is null or durable = $2)
          and fact_id = any($3::text[])
          and replayed_at is null
          and not parked
        """,
        corp_id,
        durable,
        sorted(fact_ids),
        outcome,
    )
    return int(status.split()[-1])


def reason_of(error: Exception) -> str:
    """Stable, for programs."""
    if isinstance(error, DomainError):
        return error.reason
    return TIMED_OUT if is_timeout(error) else type(error).__name__


def detail_of(error: Exception) -> str:
    """What went wrong, without the values of a row: PostgreSQL puts them into its detail line."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__}: {error.args[0] if error.args else ''}"
    return repr(error)


async def counts(connection: Connection, corp_id: str, limit: int) -> Row:
    """`letters` that wait for somebody, and `parked` facts; counted no further than `limit` each."""
    row = await connection.fetchrow(
        """
        select
            (
                select count(*)
                from (
                    select
                    from dead_letters
                    where corp_id = $1 and replayed_at is null and not parked
                    limit $2
                ) bounded
            ) as letters,
            (
                select count(*)
                from (
                    select
                    from dead_letters
                    where corp_id = $1 and replayed_at is null and parked
                    limit $2
                ) bounded
            ) as parked
        """,
        corp_id,
        limit,
    )
    assert row is not None, "a select without a table always returns its row"
    return row
