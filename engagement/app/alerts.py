"""Alerts on their way to employees: gathered for a few seconds, sent as one app message, each at most once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from uuid_utils import uuid7

from chassis import scheduled
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.db import alerts as db
from engagement.db import names
from engagement.domain.alerts import Paid, compose

KIND = "app_message"
# More than fit into one message; the rest goes with the next.
MOST_PER_MESSAGE = 40
RETRY = timedelta(seconds=1)


class Messenger(Protocol):
    async def send_text(self, corp_id: str, userid: str, content: str, seconds: float) -> None:
        """Raises WeComError or WeComAway. The same content within half an hour is delivered once."""
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    corp_id: str
    alert_id: str
    userid: str
    kind: str
    contact_id: str
    mall_id: str
    order_id: str
    amount_fen: int
    at: datetime
    arrived_at: datetime


async def take(tx: Tx, alerts: Iterable[Alert], gather: timedelta, fresh: timedelta) -> None:
    """Keeps the alerts and makes a message due for each recipient; what is no news any more is only kept."""
    now = datetime.now(UTC)
    rows = {
        (a.corp_id, a.alert_id): (
            a.corp_id,
            a.alert_id,
            a.userid,
            a.kind,
            a.contact_id,
            a.mall_id,
            a.order_id,
            a.amount_fen,
            a.at,
            a.arrived_at,
            "OPEN" if a.arrived_at > now - fresh else "EXPIRED",
        )
        for a in alerts
    }
    new = await db.insert(tx.connection, rows.values())
    recipients = {(row["corp_id"], row["userid"]) for row in new if row["status"] == "OPEN"}
    await scheduled.schedule_again(
        tx.connection,
        KIND,
        [scheduled.Job(corp_id, userid, now + gather) for corp_id, userid in recipients],
    )


class AlertMessages:
    def __init__(self, outbox: Outbox, messenger: Messenger, sealer: Sealer, gather: timedelta) -> None:
        self._outbox, self._messenger, self._sealer, self._gather = outbox, messenger, sealer, gather

    async def perform(self, claim: scheduled.Claim) -> None:
        """Sends one message to the employee `claim.key`; after a crash the same words again."""
        corp_id, userid = claim.corp_id, claim.key
        async with self._outbox.transaction() as tx:
            message = await db.attempting(tx.connection, corp_id, userid)
            if message is None:
                rows = await db.open_of(tx.connection, corp_id, userid, MOST_PER_MESSAGE)
                if not rows:
                    await scheduled.finish(tx.connection, KIND, [(claim, "nothing left")])
                    return
                sealed = await names.sealed_contact(tx.connection, corp_id, [row["contact_id"] for row in rows])
                named = {one: self._sealer.open(corp_id, name) for one, name in sealed.items()}
                content, inside = compose(
                    [Paid(r["alert_id"], named.get(r["contact_id"]), r["amount_fen"], r["order_id"]) for r in rows]
                )
                message_id = str(uuid7())
                await db.begin_message(
                    tx.connection,
                    corp_id,
                    message_id,
                    userid,
                    self._sealer.seal(corp_id, content),
                    [row["alert_id"] for row in rows[:inside]],
                )
            else:
                message_id, content = message["message_id"], self._sealer.open(corp_id, message["sealed_content"])
        try:
            await self._messenger.send_text(corp_id, userid, content, scheduled.CALL_SECONDS)
            delivered, errcode = True, 0
        except WeComAway:
            await self._again(claim)
            return
        except WeComError as error:
            if error.passing:
                await self._again(claim)
                return
            log.warning("alert_refused", corp_id=corp_id, userid=userid, errcode=error.errcode)
            delivered, errcode = False, error.errcode
        async with self._outbox.transaction() as tx:
            await db.end_message(tx.connection, corp_id, message_id, delivered, errcode)
            more = await db.open_of(tx.connection, corp_id, userid, 1)
            if more:
                await scheduled.postpone(tx.connection, KIND, [(claim, datetime.now(UTC) + self._gather)])
            else:
                await scheduled.finish(tx.connection, KIND, [(claim, "sent")])

    async def _again(self, claim: scheduled.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await scheduled.postpone(
                tx.connection, KIND, [(claim, datetime.now(UTC) + RETRY * min(claim.attempts, 30))]
            )
