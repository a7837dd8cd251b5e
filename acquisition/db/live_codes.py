"""Live codes."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row


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


async def lock(connection: Connection, corp_id: str, live_code_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from live_codes
        where corp_id = $1 and live_code_id = $2
        for update
        """,
        corp_id,
        live_code_id,
    )
    return row


async def by_states(connection: Connection, pairs: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """(corp, state) → codes."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select corp_id, state, live_code_id, channel_id, paused_at, past_pauses
        from live_codes
        where (corp_id, state) in (select * from unnest($1::text[], $2::text[]))
        """,
        [corp_id for corp_id, _ in pairs],
        [state for _, state in pairs],
    )
    return rows


async def pause(connection: Connection, corp_id: str, live_code_id: str, *, archive: bool) -> Row:
    row = await connection.fetchrow(
        """
        update live_codes
        set status = 'PAUSED',
            paused_at = coalesce(paused_at, now()),
            archived_at = case when $3 then now() else archived_at end,
            revision = revision + 1
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        corp_id,
        live_code_id,
        archive,
    )
    assert row is not None, "the caller holds its lock"
    return row


async def restore(connection: Connection, corp_id: str, live_code_id: str) -> Row:
    row = await connection.fetchrow(
        """
        update live_codes
        set archived_at = null,
            revision = revision + 1
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        corp_id,
        live_code_id,
    )
    assert row is not None, "the caller holds its lock"
    return row


async def resume(connection: Connection, corp_id: str, live_code_id: str) -> Row:
    """The pause is remembered: adds that happened in it may still come."""
    row = await connection.fetchrow(
        """
        update live_codes
        set status = case
                when config_id is not null then 'ACTIVE'
                when failure is not null then 'FAILED'
                else 'PENDING'
            end,
            past_pauses = past_pauses
                + tstzmultirange(tstzrange(date_trunc('second', paused_at), date_trunc('second', now()))),
            paused_at = null,
            revision = revision + 1
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        corp_id,
        live_code_id,
    )
    assert row is not None, "the caller holds its lock"
    return row


async def change(
    connection: Connection, corp_id: str, live_code_id: str, *, name: str, userids: Sequence[str], members: bool
) -> Row:
    """The code as it shall be, one revision on. `members`: they were given anew."""
    row = await connection.fetchrow(
        """
        update live_codes
        set name = $3,
            userids = $4,
            given_userids = case when $5 then null else given_userids end,
            given_at = case when $5 then now() else given_at end,
            told_name = coalesce(told_name, name),
            told_userids = coalesce(told_userids, userids),
            status = case when status = 'FAILED' then 'PENDING' else status end,
            failure = null,
            revision = revision + 1
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        corp_id,
        live_code_id,
        name,
        list(userids),
        members,
    )
    assert row is not None, "the caller holds its lock"
    return row


async def lock_of_members(connection: Connection, members: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """The codes of these members, (corp, userid), as they are or as they were given; `given` are their members then."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select
            corp_id, live_code_id, userids, told_userids,
            coalesce(given_at, created_at) as given_at,
            coalesce(given_userids, userids) as given
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
    connection: Connection,
    corp_id: str,
    live_code_id: str,
    given: Sequence[str],
    userids: Sequence[str],
    told_userids: Sequence[str] | None,
) -> None:
    await connection.execute(
        """
        update live_codes
        set given_userids = $3, userids = $4, told_userids = $5
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
        list(given),
        list(userids),
        told_userids,
    )
