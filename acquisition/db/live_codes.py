"""Live codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.paging import SortedPage
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which codes a list shows; None: any. `name`: a part of it, in any case."""

    channel_id: str | None
    userid: str | None
    status: str | None
    name: str | None
    archived: bool

    @property
    def parameters(self) -> tuple[object, ...]:
        return self.channel_id, self.userid, self.status, self.name, self.archived


MATCHES = """
    corp_id = $1
    and ($2::uuid is null or channel_id = $2)
    and ($3::text is null or $3 = any(userids))
    and ($4::text is null or status = $4)
    and ($5::text is null or strpos(lower(name), lower($5)) > 0)
    and (archived_at is not null) = $6
"""


async def page(connection: Connection, corp_id: str, page: SortedPage, wanted: Wanted) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        f"""
        select *
        from live_codes
        where {MATCHES}
          and {page.beyond(page.order_by, "live_code_id", 8)}
        order by {page.order(page.order_by, "live_code_id")}
        limit $7
        """,
        corp_id,
        *wanted.parameters,
        page.size,
        *(page.after or ()),
    )
    return rows


async def count(connection: Connection, corp_id: str, wanted: Wanted, limit: int) -> int:
    """Counts no further than `limit`."""
    counted: int = await connection.fetchval(
        f"""
        select count(*)
        from (
            select
            from live_codes
            where {MATCHES}
            limit $7
        ) bounded
        """,
        corp_id,
        *wanted.parameters,
        limit,
    )
    return counted


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


async def made(connection: Connection, made_of: Row, config_id: str, qr_code: str) -> Row:
    """WeCom has made the contact way of the code as it was in `made_of`. Returns the code as it is now: one that was
    paused meanwhile stays paused."""
    row = await connection.fetchrow(
        """
        update live_codes
        set config_id = $3,
            qr_code = $4,
            failure = null,
            told_name = $5,
            told_userids = $6,
            status = case when status = 'PAUSED' then status else 'ACTIVE' end
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        made_of["corp_id"],
        made_of["live_code_id"],
        config_id,
        qr_code,
        made_of["name"],
        made_of["userids"],
    )
    assert row is not None, "no code is ever deleted"
    return row


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
            failure = case when config_id is not null then null else failure end,
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


async def told(
    connection: Connection, corp_id: str, live_code_id: str, name: str, userids: Sequence[str]
) -> Row | None:
    """WeCom has taken these; returns the code as it is now."""
    row: Row | None = await connection.fetchrow(
        """
        update live_codes
        set told_name = $3, told_userids = $4, failure = null
        where corp_id = $1 and live_code_id = $2
        returning *
        """,
        corp_id,
        live_code_id,
        name,
        list(userids),
    )
    return row


async def refused(connection: Connection, corp_id: str, live_code_id: str, failure: str) -> None:
    """The last change; the code stays as WeCom has it."""
    await connection.execute(
        """
        update live_codes
        set failure = $3
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
        failure,
    )


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
