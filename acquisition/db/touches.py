"""Add events and their kinds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.pool import Connection

Contact = tuple[str, str]  # corp, contact id


class Touch(NamedTuple):
    """A row of `touches`."""

    corp_id: str
    touch_id: str
    contact_id: str
    sealed_contact: bytes
    # As WeCom told it; who that is by now, the renames say.
    userid: str
    channel_id: str
    live_code_id: str | None
    fallback: str | None
    # WeCom's add_half_external_contact: provisional until the member confirms.
    half: bool
    sealed_welcome_code: bytes
    agent_id: int
    added_at: datetime
    arrived_at: datetime
    # None until it was classified.
    kind: str | None
    version: int
    alerted: bool
    # The version that the rules of this release gave; another one: the release before decided.
    decided_version: int | None

    @property
    def contact(self) -> Contact:
        return self.corp_id, self.contact_id


NAMES = Touch._fields


async def lock_contacts(connection: Connection, contacts: Sequence[Contact]) -> list[Contact]:
    """Locks the contacts, making rows for unknown ones; returns those that were known: only they can have touches."""
    ordered = sorted(contacts)
    made = await connection.fetch(
        """
        insert into contacts_touched (corp_id, contact_id)
        select * from unnest($1::text[], $2::uuid[])
        on conflict do nothing
        returning corp_id, contact_id
        """,
        *zip(*ordered, strict=True),
    )
    # A row that we made is ours until we commit.
    new = {(row["corp_id"], row["contact_id"]) for row in made}
    known = [contact for contact in ordered if contact not in new]
    if known:
        await connection.execute(
            """
            select 1
            from contacts_touched
            where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))
            order by corp_id, contact_id
            for update
            """,
            *zip(*known, strict=True),
        )
    return known


async def of_contacts(connection: Connection, contacts: Sequence[Contact]) -> list[Touch]:
    if not contacts:
        return []
    rows = await connection.fetch(
        f"""
        select {", ".join(NAMES)}
        from touches
        where (corp_id, contact_id) in (select * from unnest($1::text[], $2::uuid[]))
        """,
        *zip(*sorted(contacts), strict=True),
    )
    return [Touch(**row) for row in rows]


async def undecided(connection: Connection, limit: int) -> list[Contact]:
    """Contacts with a kind that the release before gave, or that nobody gave."""
    rows = await connection.fetch(
        """
        select distinct corp_id, contact_id
        from touches
        where kind is distinct from 'NEW' and decided_version is distinct from version
        limit $1
        """,
        limit,
    )
    return [(row["corp_id"], row["contact_id"]) for row in rows]


async def repeated(
    connection: Connection, corp_id: str, userids: Sequence[str], after: str, limit: int
) -> list[Contact]:
    """Contacts of these members that were added more than once, by anybody, in order of their ids."""
    rows = await connection.fetch(
        """
        select distinct contact_id
        from touches
        where corp_id = $1
          and userid = any($2)
          and contact_id > $3
          and kind is distinct from 'NEW'
        order by contact_id
        limit $4
        """,
        corp_id,
        userids,
        after,
        limit,
    )
    return [(corp_id, row["contact_id"]) for row in rows]


async def page(connection: Connection, corp_id: str, after: str, limit: int) -> list[Touch]:
    """All touches of the corp, by id."""
    rows = await connection.fetch(
        f"""
        select {", ".join(NAMES)}
        from touches
        where corp_id = $1 and touch_id > $2
        order by touch_id
        limit $3
        """,
        corp_id,
        after,
        limit,
    )
    return [Touch(**row) for row in rows]


async def insert(connection: Connection, touches: Iterable[Touch]) -> None:
    ordered = sorted(touches, key=lambda touch: (touch.corp_id, touch.touch_id))
    if ordered:
        await connection.execute(
            f"""
            insert into touches ({", ".join(NAMES)})
            select *
            from unnest(
                $1::text[], $2::text[], $3::uuid[], $4::bytea[], $5::text[], $6::uuid[], $7::uuid[], $8::text[],
                $9::bool[], $10::bytea[], $11::bigint[], $12::timestamptz[], $13::timestamptz[], $14::text[],
                $15::bigint[], $16::bool[], $17::bigint[]
            )
            on conflict do nothing
            """,
            *zip(*ordered, strict=True),
        )


async def update(connection: Connection, touches: Iterable[Touch]) -> None:
    """Saves what changes about a touch: kind, version, alerted, decided_version."""
    ordered = sorted(touches, key=lambda touch: (touch.corp_id, touch.touch_id))
    if ordered:
        await connection.execute(
            """
            update touches t
            set kind = n.kind, version = n.version, alerted = n.alerted, decided_version = n.decided_version
            from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bool[], $6::bigint[])
                as n (corp_id, touch_id, kind, version, alerted, decided_version)
            where (t.corp_id, t.touch_id) = (n.corp_id, n.touch_id)
            """,
            [touch.corp_id for touch in ordered],
            [touch.touch_id for touch in ordered],
            [touch.kind for touch in ordered],
            [touch.version for touch in ordered],
            [touch.alerted for touch in ordered],
            [touch.decided_version for touch in ordered],
        )
