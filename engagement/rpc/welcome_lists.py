from __future__ import annotations

import json

from bihuan.engagement.v1 import welcome_service_pb2 as pb

from chassis import paging
from chassis.errors import Invalid
from chassis.kernel.caller import caller, masked
from chassis.moments import stamp
from chassis.pool import Pool, Row
from chassis.sealing import Sealer
from engagement.db import welcome_lists as db
from engagement.rpc.lists import period, shown_members

PREFIX = "WELCOME_OUTCOME_"
OUTCOMES = tuple(name.removeprefix(PREFIX) for name, number in pb.WelcomeOutcome.items() if number)


class WelcomeLists:
    """Answers ListWelcomes."""

    def __init__(self, pool: Pool, sealer: Sealer) -> None:
        self._pool, self._sealer = pool, sealer

    async def answer(self, request: pb.ListWelcomesRequest) -> pb.ListWelcomesResponse:
        me = caller()
        page = paging.page(request.page_size, request.page_token)
        before_at, before_id, _ = paging.position(page.after) if page.after else (None, "", "")
        since, until = period(request)
        statuses = _statuses(request)
        async with self._pool.acquire() as connection:
            userids = await shown_members(connection, me, request.userid)
            if userids is None and not set(statuses) <= set(db.UNSENT):
                raise Invalid("STAFF_MISSING", field="userid", expected=f"an employee, or only {', '.join(db.UNSENT)}")
            wanted = db.Wanted(
                statuses=statuses,
                userids=userids,
                channel_id=paging.uuid(request.channel_id, "channelId") if request.channel_id else None,
                since=since,
                until=until,
                before_at=before_at,
                before_id=paging.uuid(before_id, "pageToken") if page.after else paging.NIL,
                limit=page.size,
            )
            rows = await db.newest(connection, me.corp_id, wanted)
        keys = [json.dumps([row["arrived_at"].isoformat(), row["welcome_id"], ""]) for row in rows]
        return pb.ListWelcomesResponse(
            welcomes=[self._welcome(row, names=me.sees_names) for row in rows],
            next_page_token=page.next_token(keys),
        )

    def _welcome(self, row: Row, *, names: bool) -> pb.Welcome:
        name = self._sealer.open(row["corp_id"], row["sealed_name"]) if row["sealed_name"] else ""
        return pb.Welcome(
            welcome_id=row["welcome_id"],
            outcome=pb.WelcomeOutcome.Value(PREFIX + row["status"]),
            userid=row["userid"],
            channel_id=row["channel_id"],
            contact_id=row["contact_id"],
            customer_name=name if names else masked(name),
            added_at=stamp(row["added_at"] or row["arrived_at"]),
            arrived_at=stamp(row["arrived_at"]),
            sent_at=stamp(row["sent_at"]),
            errcode=row["errcode"] or 0,
            failure=row["failure"] or "",
            attachments_left_out=row["attachments_left_out"] or 0,
        )


def _statuses(request: pb.ListWelcomesRequest) -> list[str]:
    """Raises Invalid for an outcome that is none."""
    if not request.outcomes:
        return list(db.UNSENT)
    names = {pb.WelcomeOutcome.Name(one) for one in request.outcomes if one in pb.WelcomeOutcome.values() and one}
    if len(names) < len(set(request.outcomes)):
        raise Invalid("OUTCOME_UNKNOWN", field="outcomes", expected=f"some of {', '.join(OUTCOMES)}")
    return sorted(name.removeprefix(PREFIX) for name in names)
