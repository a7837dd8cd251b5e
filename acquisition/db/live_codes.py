"""Live codes."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row
from chassis.scheduled import Claim


async def insert(
    connection: Connection,
    corp_id: str,
    live_code_id: str,
    channel_id: str,
    name: str,
    userids: Sequence[str],
    state: str,
) -> Row:
    row = await connection.fetchrow(
        """
        insert into live_codes (corp_id, live_code_id, channel_id, name, userids, state)
        values ($1, $2, $3, $4, $5, $6)
        returning *
        """,
        corp_id,
        live_code_id,
        channel_id,
        name,
        list(userids),
        state,
    )
    assert row is not None, "an aggregate or an insert always returns its row"
    return row


async def get(connection: Connection, corp_id: str, live_code_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from live_codes
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
    )
    return row


async def page(connection: Connection, corp_id: str, channel_id: str | None, after: str, limit: int) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from live_codes
        where corp_id = $1
          and ($2::uuid is null or channel_id = $2)
          and live_code_id > $3
        order by live_code_id
        limit $4
        """,
        corp_id,
        channel_id,
        after,
        limit,
    )
    return rows


async def by_states(connection: Connection, pairs: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """(corp, state) → codes."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select corp_id, state, live_code_id, channel_id, paused_at
        from live_codes
        where (corp_id, state) in (select * from unnest($1::text[], $2::text[]))
        """,
        [corp_id for corp_id, _ in pairs],
        [state for _, state in pairs],
    )
    return rows


async def known_config_ids(connection: Connection, corp_id: str, config_ids: Sequence[str]) -> set[str]:
    """Those of the contact ways that are a live code's already."""
    rows = await connection.fetch(
        """
        select config_id
        from live_codes
        where corp_id = $1 and config_id = any($2)
        """,
        corp_id,
        list(config_ids),
    )
    return {row["config_id"] for row in rows}


async def hold_claim(connection: Connection, kind: str, claim: Claim, seconds: float) -> bool:
    """A whole lease for what comes next; false when the claim is somebody else's by now."""
    status = await connection.execute(
        """
        update due_rows
        set lease_until = now() + make_interval(secs => $5)
        where corp_id = $1 and kind = $2 and key = $3 and claim_no = $4 and status = 'attempting'
        """,
        claim.corp_id,
        kind,
        claim.key,
        claim.number,
        seconds,
    )
    return bool(status == "UPDATE 1")


async def made(connection: Connection, corp_id: str, live_code_id: str, config_id: str, qr_code: str) -> None:
    """A code that was paused meanwhile stays paused."""
    await connection.execute(
        """
        update live_codes
        set config_id = $3,
            qr_code = $4,
            failure = null,
            status = case when status = 'PAUSED' then status else 'ACTIVE' end
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
        config_id,
        qr_code,
    )


async def failed(connection: Connection, corp_id: str, live_code_id: str, failure: str) -> None:
    await connection.execute(
        """
        update live_codes
        set status = 'FAILED', failure = $3
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
        failure,
    )


async def pause(connection: Connection, corp_id: str, live_code_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        update live_codes
        set status = 'PAUSED', paused_at = coalesce(paused_at, now())
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        corp_id,
        live_code_id,
    )
    return row


async def lock_of_members(connection: Connection, members: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """The codes of these members, (corp, userid), as they are or as they were given; `given` are their members then."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select corp_id, live_code_id, created_at, userids, coalesce(given_userids, userids) as given
        from live_codes c
        where exists (
            select
            from unnest($1::text[], $2::text[]) as asked (corp_id, userid)
            where asked.corp_id = c.corp_id and asked.userid = any(c.userids || c.given_userids)
        )
        order by corp_id, live_code_id
        for update
        """,
        *zip(*members, strict=True),
    )
    return rows


async def set_members(
    connection: Connection, corp_id: str, live_code_id: str, given: Sequence[str], userids: Sequence[str]
) -> None:
    await connection.execute(
        """
        update live_codes
        set given_userids = $3, userids = $4
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
        list(given),
        list(userids),
    )
