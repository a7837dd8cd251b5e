"""Welcome rules."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chassis.pool import Connection, Row


async def insert(
    connection: Connection,
    corp_id: str,
    rule_id: str,
    channel_id: str | None,
    text: str,
    link: Mapping[str, str] | None,
    attachments: Sequence[Mapping[str, str]] | None,
) -> Row | None:
    """None when the channel has a rule."""
    row: Row | None = await connection.fetchrow(
        """
        insert into welcome_rules (corp_id, welcome_rule_id, channel_id, text, link, attachments)
        values ($1, $2, $3, $4, $5, $6)
        on conflict do nothing
        returning *
        """,
        corp_id,
        rule_id,
        channel_id,
        text,
        _stored(link),
        _stored(attachments),
    )
    return row


async def get(connection: Connection, corp_id: str, rule_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from welcome_rules
        where corp_id = $1 and welcome_rule_id = $2
        """,
        corp_id,
        rule_id,
    )
    return row


async def of_corps(connection: Connection, corp_ids: Sequence[str]) -> dict[tuple[str, str | None], Row]:
    """(corp, channel or None) → rule."""
    rows = await connection.fetch("select * from welcome_rules where corp_id = any($1)", sorted(set(corp_ids)))
    return {(row["corp_id"], row["channel_id"]): row for row in rows}


async def lock(connection: Connection, corp_id: str, rule_id: str) -> Row | None:
    row: Row | None = await connection.fetchrow(
        """
        select *
        from welcome_rules
        where corp_id = $1 and welcome_rule_id = $2
        for update
        """,
        corp_id,
        rule_id,
    )
    return row


async def update(connection: Connection, corp_id: str, rule_id: str, rule: Mapping[str, Any]) -> Row:
    """`rule`: channel_id, text, link and attachments as they shall be. Raises UniqueViolationError when the channel has
    a rule."""
    row = await connection.fetchrow(
        """
        update welcome_rules
        set channel_id = $3, text = $4, link = $5, attachments = $6, revision = revision + 1
        where corp_id = $1 and welcome_rule_id = $2
        returning *
        """,
        corp_id,
        rule_id,
        rule["channel_id"],
        rule["text"],
        _stored(rule["link"]),
        _stored(rule["attachments"]),
    )
    assert row is not None, "the caller holds its lock"
    return row


def same(stored: Any, wanted: Any) -> bool:
    """Whether a column holds this already; JSON is read as text."""
    if isinstance(stored, str) and isinstance(wanted, Mapping | Sequence) and not isinstance(wanted, str):
        stored = json.loads(stored)
    return bool(stored == wanted)


def _stored(value: Mapping[str, str] | Sequence[Mapping[str, str]] | str | None) -> str | None:
    """As JSON; what was read from the table is JSON already."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
