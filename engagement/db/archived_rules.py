"""Welcome rules that apply no more."""

from __future__ import annotations

from chassis.pool import Connection, Row


async def archive(connection: Connection, corp_id: str, rule_id: str) -> Row | None:
    """Moves a rule that applies; None when there is no such one."""
    row: Row | None = await connection.fetchrow(
        """
        with gone as (
            delete from welcome_rules
            where corp_id = $1 and welcome_rule_id = $2
            returning *
        )
        insert into archived_welcome_rules (
            corp_id, welcome_rule_id, channel_id, text, link, attachments, created_at, revision
        )
        select corp_id, welcome_rule_id, channel_id, text, link, attachments, created_at, revision + 1
        from gone
        returning *
        """,
        corp_id,
        rule_id,
    )
    return row


async def restore(connection: Connection, corp_id: str, rule_id: str) -> Row | None:
    """Moves it back, as the caller, who holds its lock, found it; None when its channel has another rule."""
    row: Row | None = await connection.fetchrow(
        """
        insert into welcome_rules (
            corp_id, welcome_rule_id, channel_id, text, link, attachments, created_at, revision
        )
        select corp_id, welcome_rule_id, channel_id, text, link, attachments, created_at, revision + 1
        from archived_welcome_rules
        where corp_id = $1 and welcome_rule_id = $2
        on conflict do nothing
        returning *
        """,
        corp_id,
        rule_id,
    )
    if row is not None:
        await connection.execute(
            """
            delete from archived_welcome_rules
            where corp_id = $1 and welcome_rule_id = $2
            """,
            corp_id,
            rule_id,
        )
    return row


async def get(connection: Connection, corp_id: str, rule_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from archived_welcome_rules
        where corp_id = $1 and welcome_rule_id = $2
        """,
        corp_id,
        rule_id,
    )
    return row


async def lock(connection: Connection, corp_id: str, rule_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from archived_welcome_rules
        where corp_id = $1 and welcome_rule_id = $2
        for update
        """,
        corp_id,
        rule_id,
    )
    return row
