"""What WeCom has of a live code: its contact way, made once, and told of changes."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.pool import Connection, Row
from chassis.scheduled import Claim


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
        set status = case when status = 'PAUSED' then status else 'FAILED' end, failure = $3
        where corp_id = $1 and live_code_id = $2
        """,
        corp_id,
        live_code_id,
        failure,
    )


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
