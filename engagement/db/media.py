"""What WeCom calls the files that welcome rules attach."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from chassis.pool import Connection, Row

Key = tuple[str, str, str]  # corp, file, kind


async def claim(connection: Connection, lease: timedelta, limit: int) -> Sequence[Key]:
    """Files of rules that apply whose upload is due; nobody else gets them before the lease ends. Corps take turns, and
    in each the file that has waited longest: one corp's files, many or refused, hold up no other's."""
    rows = await connection.fetch(
        """
        with used as (
            select distinct
                r.corp_id,
                (a ->> 'file_id')::uuid as file_id,
                case a ->> 'msgtype' when 'file' then 'file' else 'image' end as kind
            from welcome_rules r
            cross join lateral jsonb_array_elements(r.attachments) a
            where r.attachments is not null and a ? 'file_id'
        ),
        due as (
            select
                u.*,
                m.try_at,
                row_number() over (partition by u.corp_id order by m.try_at nulls first, u.file_id, u.kind) as turn
            from used u
            left join welcome_media m using (corp_id, file_id, kind)
            where m.try_at is null or m.try_at <= now()
            order by turn, m.try_at nulls first, u.corp_id
            limit $2
        )
        insert into welcome_media as m (corp_id, file_id, kind, try_at)
        select corp_id, file_id, kind, now() + $1::interval
        from due
        order by corp_id, file_id, kind
        on conflict (corp_id, file_id, kind) do update set try_at = excluded.try_at
        where m.try_at <= now()
        returning corp_id, file_id, kind
        """,
        lease,
        limit,
    )
    return [(row["corp_id"], row["file_id"], row["kind"]) for row in rows]


async def uploaded(connection: Connection, key: Key, media_id: str, expires_at: datetime, try_at: datetime) -> None:
    await connection.execute(
        """
        update welcome_media
        set media_id = $4, expires_at = $5, errcode = null, try_at = $6
        where (corp_id, file_id, kind) = ($1, $2, $3)
        """,
        *key,
        media_id,
        expires_at,
        try_at,
    )


async def not_uploaded(connection: Connection, key: Key, errcode: int | None, try_at: datetime) -> None:
    """`errcode`: WeCom's refusal; None when there was no answer. What it took before stays."""
    await connection.execute(
        """
        update welcome_media
        set errcode = $4, try_at = $5
        where (corp_id, file_id, kind) = ($1, $2, $3)
        """,
        *key,
        errcode,
        try_at,
    )


async def of_files(connection: Connection, keys: Iterable[tuple[str, str]]) -> dict[Key, Row]:
    """Of these files, (corp, file): what WeCom takes now, and refusals."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    rows = await connection.fetch(
        """
        select corp_id, file_id, kind, case when expires_at > now() then media_id end as media_id, errcode
        from welcome_media
        where (corp_id, file_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        *zip(*ordered, strict=True),
    )
    return {(row["corp_id"], row["file_id"], row["kind"]): row for row in rows}


async def forget(connection: Connection, media: Iterable[tuple[str, str]]) -> None:
    """WeCom does not know these, (corp, media_id), any more: their files are due."""
    ordered = sorted(set(media))
    if ordered:
        await connection.execute(
            """
            with stale as (
                select corp_id, file_id, kind
                from welcome_media
                where (corp_id, media_id) in (select * from unnest($1::text[], $2::text[]))
                order by corp_id, file_id, kind
                for update
            )
            update welcome_media m
            set media_id = null, expires_at = null, try_at = now()
            from stale
            where (m.corp_id, m.file_id, m.kind) = (stale.corp_id, stale.file_id, stale.kind)
            """,
            *zip(*ordered, strict=True),
        )
