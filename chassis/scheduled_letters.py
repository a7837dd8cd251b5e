"""Scheduled rows that fail: tried later each time, then a dead letter, which a replay schedules anew."""

from __future__ import annotations

import json
from datetime import datetime

from chassis import dead_letters
from chassis.pool import Connection, Row
from chassis.scheduled import Claim

SUBJECT = "effect."
OUTCOME_DEAD = "DEAD_LETTER"
# After a failure: 2, 4, 8 … seconds, this at most.
LONGEST_PAUSE_SECONDS = 600


async def fail(
    connection: Connection,
    kind: str,
    claim: Claim,
    *,
    reason: str,
    detail: str,
    attempts: int | None,
    counted: bool = True,
) -> bool:
    """Gives a row back after an attempt that failed, later each time; true when it became a dead letter instead.

    That is so after `attempts` failures in a row, never when None; call it inside a transaction. One that was asked
    for again meanwhile begins anew. `counted`: as in `postpone`; the failure counts in any case.
    """
    status = await connection.fetchval(
        """
        update due_rows d
        set lease_until = null,
            failures = case when d.generation = $4 then d.failures + 1 else 0 end,
            attempts = case when d.generation = $4 then d.attempts - (not $9)::int else 0 end,
            status = case when d.generation = $4 and d.failures + 1 >= $6::int then 'done' else 'due' end,
            outcome = case when d.generation = $4 and d.failures + 1 >= $6 then $7 end,
            done_at = case when d.generation = $4 and d.failures + 1 >= $6 then now() end,
            due_at = case when d.generation = $4
                          then now() + make_interval(secs => least(2 ^ least(d.failures + 1, 30), $8))
                          else d.due_at end
        where (d.corp_id, d.kind, d.key) = ($1, $2, $3) and d.status = 'attempting' and d.claim_no = $5
        returning d.status
        """,
        claim.corp_id,
        kind,
        claim.key,
        claim.generation,
        claim.number,
        attempts,
        OUTCOME_DEAD,
        LONGEST_PAUSE_SECONDS,
        counted,
    )
    if status != "done":
        return False
    deadline = claim.deadline.isoformat() if claim.deadline else None
    await dead_letters.add(
        connection,
        kind,
        SUBJECT + kind,
        {"corp-id": claim.corp_id, "ce-id": claim.key},
        json.dumps({"detail": claim.detail, "deadline": deadline}).encode(),
        reason=reason,
        detail=detail,
    )
    return True


async def revive(connection: Connection, letter: Row) -> None:
    """Schedules a dead-lettered row anew, unless somebody has asked for it meanwhile."""
    kept = json.loads(letter["payload"])
    await connection.execute(
        """
        insert into due_rows (corp_id, kind, key, due_at, deadline, detail)
        values ($1, $2, $3, now(), $4, $5::jsonb)
        on conflict (corp_id, kind, key) do update
        set status = 'due',
            generation = due_rows.generation + 1,
            due_at = now(),
            attempts = 0,
            failures = 0,
            outcome = null,
            done_at = null
        where due_rows.outcome = $6 and due_rows.status = 'done'
        """,
        letter["corp_id"],
        letter["durable"],
        letter["fact_id"],
        datetime.fromisoformat(kept["deadline"]) if kept["deadline"] else None,
        json.dumps(kept["detail"]),
        OUTCOME_DEAD,
    )
