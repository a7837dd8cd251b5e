from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bihuan.engagement.v1 import alert_service_pb2 as pb
from bihuan.engagement.v1 import alert_service_pb2_grpc as grpc_pb
from bihuan.staff.v1.facts_pb2 import Importance, NextStep

from chassis import paging
from chassis.errors import Invalid
from chassis.kernel.caller import caller, masked
from chassis.kernel.corps import Corps
from chassis.kernel.totals import total
from chassis.moments import as_of, stamp
from chassis.pool import Pool, Row
from chassis.sealing import Sealer
from engagement.app.alerts import alert_of, channel_names, zone_of
from engagement.db import alert_lists
from engagement.db import alerts as db
from engagement.domain.alerts import (
    KINDS,
    NORMAL,
    Details,
    FriendAdded,
    FriendLost,
    OrderPaid,
    OrderRefunded,
    sentence,
)
from engagement.rpc.lists import period, shown_members

UNDELIVERED = ("EXPIRED", "REFUSED")
COUNTS = ("raised", "delivered", "refused", "expired", "open")


class AlertServicer(grpc_pb.AlertServiceServicer):
    def __init__(self, pool: Pool, sealer: Sealer, corps: Corps) -> None:
        self._pool, self._sealer, self._corps = pool, sealer, corps

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Any) -> pb.ListAlertsResponse:
        me = caller()
        page = paging.page(request.page_size, request.page_token)
        before_at, before_id, _ = paging.position(page.after) if page.after else (None, "", "")
        since, until = period(request)
        kinds, statuses = _kinds(request), _statuses(request)
        contact_id = paging.uuid(request.contact_id, "contactId") if request.contact_id else None
        async with self._pool.acquire() as connection:
            wanted = alert_lists.Wanted(
                kinds=kinds,
                userids=await shown_members(connection, me, request.userid),
                since=since,
                until=until,
                statuses=statuses,
                contact_id=contact_id,
            )
            rows = await alert_lists.newest(connection, me.corp_id, wanted, before_at, before_id, page.size)
            counted = await alert_lists.count(connection, me.corp_id, wanted) if request.with_total else None
            called = await channel_names(connection, me.corp_id, rows)
        return pb.ListAlertsResponse(
            alerts=[self._alert(row, called, names=me.sees_names) for row in rows],
            next_page_token=page.next_token([json.dumps([row["at"].isoformat(), row["alert_id"], ""]) for row in rows]),
            total=None if counted is None else total(counted),
        )

    async def GetAlertFigures(self, request: pb.GetAlertFiguresRequest, context: Any) -> pb.GetAlertFiguresResponse:
        moment, me, known = as_of(request), caller(), KINDS.values()
        async with self._pool.acquire() as connection:
            userids = await shown_members(connection, me, "")
            rows = await db.figures(connection, me.corp_id, moment, userids)
            messages = await db.messages_sent(connection, me.corp_id, moment, userids)
        rows = [row for row in rows if row["kind"] in known]
        paid = next((row for row in rows if row["kind"] == KINDS[OrderPaid]), None)
        return pb.GetAlertFiguresResponse(
            **({name: paid[name] for name in COUNTS} if paid else {}),
            messages=messages,
            by_kind=[
                pb.AlertKindFigures(
                    kind=pb.AlertKind.Value(row["kind"]),
                    **{name: row[name] for name in COUNTS},
                    listed=row["listed"],
                )
                for row in rows
            ],
        )

    def _alert(self, row: Row, called: Mapping[str, str], *, names: bool) -> pb.Alert:
        name = self._sealer.open(row["corp_id"], row["sealed_name"]) if row["sealed_name"] else None
        alert = alert_of(row, masked(name) if name and not names else name, called)
        return pb.Alert(
            alert_id=row["alert_id"],
            userid=row["userid"],
            kind=pb.AlertKind.Value(row["kind"]),
            cause=row["cause"] or "",
            contact_id=row["contact_id"],
            importance=Importance.Value(f"IMPORTANCE_{row['importance'] or NORMAL}"),
            next_step=NextStep.Value(f"NEXT_STEP_{alert.next_step}"),
            at=stamp(row["at"]),
            arrived_at=stamp(row["arrived_at"]),
            sentence=sentence(alert, zone_of(self._corps, row["corp_id"])),
            status=pb.AlertStatus.Value("ALERT_STATUS_" + row["status"].replace("WAITING", "OPEN")),
            delivered_at=stamp(row["delivered_at"]),
            errcode=row["errcode"] or 0,
            **_details(alert.details),
        )


def _kinds(request: pb.ListAlertsRequest) -> list[str]:
    """Raises Invalid for a kind that this release does not know."""
    if not request.kind:
        return sorted(KINDS.values())
    if request.kind not in pb.AlertKind.values():
        raise Invalid("KIND_UNKNOWN", field="kind", expected=", ".join(sorted(KINDS.values())))
    return [pb.AlertKind.Name(request.kind)]


def _statuses(request: pb.ListAlertsRequest) -> list[str] | None:
    """Those of the table; None: any. Raises Invalid for one that there is not, or that contradicts `undelivered`."""
    if not request.status:
        return list(UNDELIVERED) if request.undelivered else None
    if request.status not in pb.AlertStatus.values():
        raise Invalid("STATUS_UNKNOWN", field="status", expected=", ".join(pb.AlertStatus.keys()[1:]))
    name = pb.AlertStatus.Name(request.status).removeprefix("ALERT_STATUS_")
    if request.undelivered and name not in UNDELIVERED:
        raise Invalid("FIELDS_CONTRADICT", field="status", expected=f"{' or '.join(UNDELIVERED)} with undelivered")
    return [name, "WAITING"] if name == "OPEN" else [name]


def _details(details: Details) -> dict[str, Any]:
    """The details as the one field of their kind."""
    match details:
        case OrderPaid():
            paid = {"amount": details.paid_amount, "currency": details.currency}
            return {"order_paid": {"mall_id": details.mall_id, "order_id": details.order_id, "paid": paid}}
        case OrderRefunded():
            refunded = {"amount": details.refunded_amount, "currency": details.currency}
            return {
                "order_refunded": {
                    "mall_id": details.mall_id,
                    "order_id": details.order_id,
                    "refund_id": details.refund_id,
                    "refunded": refunded,
                }
            }
        case FriendAdded():
            return {"friend_added": {"channel_id": details.channel_id, "returning": details.returning}}
        case FriendLost():
            return {"friend_lost": {"added_at": stamp(details.added_at)} if details.added_at else {}}
