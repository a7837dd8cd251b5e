"""Welcomes: one row per welcome code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.pool import Connection, Row

Key = tuple[str, str]  # corp, welcome id
COLUMNS = (
    *("corp_id", "welcome_id", "contact_id", "userid", "channel_id", "sealed_code", "agent_id"),
    *("added_at", "arrived_at", "deadline", "status"),
)


OPEN_ANOTHER_CODE = Path(__file__).with_name("open_another_code.sql").read_text()
FAIL_GIVEN_UP = Path(__file__).with_name("fail_given_up.sql").read_text()


@dataclass(frozen=True, slots=True)
class Outcome:
    corp_id: str
    welcome_id: str
    # A status of the table.
    status: str
    errcode: int | None
    sent_at: datetime | None
    # How many of its rule's attachments it was sent without.
    left_out: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Add:
    """What several codes may be for."""

    corp_id: str
    contact_id: str
    userid: str
    added_at: datetime


async def insert(connection: Connection, rows: Iterable[dict[str, Any]]) -> set[Key]:
    """Whole rows by column name (COLUMNS); returns the keys of the new ones."""
    ordered = sorted(rows, key=lambda row: (row["corp_id"], row["welcome_id"]))
    new = await connection.fetch(
        f"""
        insert into welcomes ({", ".join(COLUMNS)})
        select *
        from unnest(
            $1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::bytea[], $7::bigint[],
            $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::text[]
        )
        on conflict do nothing
        returning corp_id, welcome_id
        """,
        *([row[name] for row in ordered] for name in COLUMNS),
    )
    return {(row["corp_id"], row["welcome_id"]) for row in new}


async def of_contacts(connection: Connection, contacts: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """All codes of these contacts; `added_at` is filled for those of the release before too."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select corp_id, welcome_id, contact_id, userid, coalesce(added_at, arrived_at) as added_at, status, errcode
        from welcomes
        where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        *zip(*sorted(contacts), strict=True),
    )
    return rows


async def expedite(connection: Connection, kind: str, contacts: Sequence[tuple[str, str]]) -> None:
    """Welcomes that waited for these contacts' names are due now."""
    await connection.execute(
        """
        with waiting as (
            select d.corp_id, d.key
            from due_rows d
            join welcomes w on d.corp_id = w.corp_id and d.kind = $1 and d.key = w.welcome_id::text
            where (w.corp_id, w.contact_id) in (select * from unnest($2::text[], $3::uuid[]))
              and w.status = 'OPEN'
              and d.status = 'due'
              and d.due_at > now()
            order by d.corp_id, d.key
            for update of d
        )
        update due_rows d
        set due_at = now()
        from waiting
        where d.corp_id = waiting.corp_id and d.kind = $1 and d.key = waiting.key and d.status = 'due'
        """,
        kind,
        *zip(*sorted(contacts), strict=True),
    )


async def open_of(connection: Connection, keys: Sequence[Key]) -> dict[Key, Row]:
    """Key → the welcome with both sealed names, if it is still to be sent."""
    rows = await connection.fetch(
        """
        select w.*, c.sealed_name as customer_name, s.sealed_name as staff_name
        from welcomes w
        left join contacts c on (c.corp_id, c.contact_id) = (w.corp_id, w.contact_id)
        left join staff s on (s.corp_id, s.userid) = (w.corp_id, w.userid)
        where w.status in ('OPEN', 'FAILED')
          and (w.corp_id, w.welcome_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        *zip(*keys, strict=True),
    )
    return {(row["corp_id"], row["welcome_id"]): row for row in rows}


async def save_outcomes(connection: Connection, outcomes: Iterable[Outcome]) -> None:
    """What has an outcome keeps it."""
    ordered = sorted(outcomes, key=lambda one: (one.corp_id, one.welcome_id))
    if ordered:
        await connection.execute(
            """
            update welcomes w
            set status = n.status,
                errcode = n.errcode,
                sent_at = n.sent_at,
                attachments_left_out = nullif(n.left_out, 0)
            from unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::timestamptz[], $6::int[])
                as n (corp_id, welcome_id, status, errcode, sent_at, left_out)
            where (w.corp_id, w.welcome_id) = (n.corp_id, n.welcome_id) and w.status = 'OPEN'
            """,
            [one.corp_id for one in ordered],
            [one.welcome_id for one in ordered],
            [one.status for one in ordered],
            [one.errcode for one in ordered],
            [one.sent_at for one in ordered],
            [one.left_out for one in ordered],
        )


async def reopen(connection: Connection, keys: Iterable[Key]) -> None:
    """FAILED ones are to be sent after all."""
    ordered = sorted(keys)
    if ordered:
        await connection.execute(
            """
            update welcomes
            set status = 'OPEN', failure = null
            where status = 'FAILED'
              and (corp_id, welcome_id) in (select * from unnest($1::text[], $2::uuid[]))
            """,
            *zip(*ordered, strict=True),
        )


async def fail_given_up(connection: Connection, kind: str, limit: int) -> int:
    """OPEN ones that no job of the kind will send any more become FAILED, for the reason of the dead letter."""
    status = await connection.execute(FAIL_GIVEN_UP, kind, limit)
    return int(status.split()[-1])


async def open_another_code(connection: Connection, adds: Iterable[Add], seconds: float) -> Sequence[Row]:
    """For each add opens one more of its codes that still lives; returns them.

    `seconds`: how far the times of an add's tellings are apart at most.
    """
    ordered = sorted(adds)
    rows: Sequence[Row] = await connection.fetch(
        OPEN_ANOTHER_CODE,
        [add.corp_id for add in ordered],
        [add.contact_id for add in ordered],
        [add.userid for add in ordered],
        [add.added_at for add in ordered],
        seconds,
    )
    return rows


async def figures(connection: Connection, corp_id: str, as_of: datetime | None, userids: Sequence[str] | None) -> Row:
    """Counts by status, and seconds from arrival to WeCom's confirmation over those sent. `userids`: of these members
    alone; None: of everybody."""
    row = await connection.fetchrow(
        """
        select
            count(*) filter (where status = 'SENT') as sent,
            count(*) filter (where status = 'LATE') as late,
            count(*) filter (where status = 'REFUSED') as refused,
            count(*) filter (where status = 'OPEN') as open,
            count(*) filter (where status = 'WITHOUT_RULE') as without_rule,
            count(*) filter (where status = 'ANOTHER_CODE') as another_code,
            count(*) filter (where status = 'FAILED') as failed,
            percentile_cont(array[0.5, 0.99, 1.0])
                within group (order by extract(epoch from sent_at - arrived_at)::float8)
                filter (where status = 'SENT') as latencies
        from welcomes
        where corp_id = $1
          and ($2::timestamptz is null or arrived_at <= $2)
          and ($3::text[] is null or userid = any($3))
        """,
        corp_id,
        as_of,
        userids,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row
