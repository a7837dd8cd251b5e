"""Why an order belongs to its employee and channel, as it is shown."""

from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

from bihuan.commerce.v1 import order_service_pb2 as pb

from chassis.kernel.caller import Caller
from chassis.kernel.corps import Corp
from chassis.moments import stamp
from chassis.pool import Connection
from commerce.db import histories
from commerce.domain import explanation
from commerce.domain.attribution import Window
from commerce.domain.explanation import Add, Relation, Verdict

MOST = 100


async def explained(connection: Connection, me: Caller, corp: Corp, order: pb.Order) -> pb.ExplainOrderResponse:
    """Of an order that the caller may see."""
    moment = (order.paid_at if order.HasField("paid_at") else order.created_at).ToDatetime(UTC)
    window = Window(corp.attribution_days, ZoneInfo(corp.timezone))
    relations: list[Relation] = []
    adds: list[Add] = []
    if order.customer_id:
        spans = await histories.spans(connection, corp.corp_id, order.customer_id)
        relations = explanation.relations(moment, spans)
        adds = explanation.adds(moment, await histories.touches(connection, corp.corp_id, order.customer_id), window)
    if me.confined_to is not None:
        userids = sorted({one.span.userid for one in relations})
        seen = await histories.visible(connection, corp.corp_id, me.confined_to, userids)
        relations = [one for one in relations if one.verdict is Verdict.CHOSEN or one.span.userid in seen]
    return pb.ExplainOrderResponse(
        moment=order.paid_at if order.HasField("paid_at") else order.created_at,
        window_days=corp.attribution_days,
        zone=corp.timezone,
        customer_id=order.customer_id,
        relations=[_relation(one) for one in explanation.newest(relations, MOST)],
        touches=[_touch(one) for one in explanation.newest(adds, MOST)],
    )


def _relation(one: Relation) -> pb.RelationConsidered:
    return pb.RelationConsidered(
        userid=one.span.userid,
        added_at=stamp(one.span.added_at),
        ended_at=stamp(one.span.ended_at),
        verdict=pb.RelationVerdict.Value(f"RELATION_VERDICT_{one.verdict}"),
    )


def _touch(one: Add) -> pb.TouchConsidered:
    return pb.TouchConsidered(
        channel_id=one.touch.channel_id,
        added_at=stamp(one.touch.added_at),
        verdict=pb.TouchVerdict.Value(f"TOUCH_VERDICT_{one.verdict}"),
    )
