"""Alerts on their way to employees: gathered for a few seconds, sent as one app message, each at most once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from uuid_utils import uuid7

from chassis import scheduled
from chassis.kernel.corps import Corps
from chassis.kernel.renames import known_as, onward
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import Connection, Row
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.db import alerts as db
from engagement.db import channels, names
from engagement.domain import alerts as domain
from engagement.domain.alerts import LOW, Details, FriendAdded, OrderPaid

KIND = "app_message"
# More than fit into one message; the rest goes with the next.
MOST_PER_MESSAGE = 40
RETRY = timedelta(seconds=1)
# How many recipients whom a replica of the release before passed over are put right at once.
LEFT_BEHIND = 500
# Those of a later release are for its replicas to send.
KINDS = sorted(domain.KINDS.values())
# For a corp that left the corps file.
USUAL_ZONE = ZoneInfo("Asia/Shanghai")


class Messenger(Protocol):
    async def send_text(self, corp_id: str, userid: str, content: str, seconds: float) -> None:
        """Raises WeComError or WeComAway. The same content within half an hour is delivered once."""
        ...


@dataclass(frozen=True, slots=True)
class Alerted:
    """An alert as it came in."""

    corp_id: str
    alert_id: str
    userid: str
    cause: str
    contact_id: str
    # Names of the contract without their prefix: NORMAL, THANK.
    importance: str
    next_step: str
    at: datetime
    arrived_at: datetime
    details: Details


async def take(tx: Tx, alerted: Iterable[Alerted], gather: timedelta, fresh: timedelta) -> None:
    """Keeps the alerts and makes a message due for each recipient; what is of low importance, or no news any more,
    is only kept."""
    now, alerted = datetime.now(UTC), list(alerted)
    renames = await onward(tx.connection, [(one.corp_id, one.userid) for one in alerted])
    present = {
        (one.corp_id, one.alert_id): known_as(one.userid, one.at - domain.TOLD_LATE, renames.get(one.corp_id, ()))
        for one in alerted
    }
    rows = {
        (one.corp_id, one.alert_id): {
            "corp_id": one.corp_id,
            "alert_id": one.alert_id,
            "userid": present[one.corp_id, one.alert_id],
            "said_userid": one.userid if one.userid != present[one.corp_id, one.alert_id] else None,
            "kind": domain.KINDS[type(one.details)],
            "cause": one.cause,
            "contact_id": one.contact_id,
            "importance": one.importance,
            "next_step": one.next_step,
            "details": domain.to_json(one.details),
            "at": one.at,
            "arrived_at": one.arrived_at,
            "status": _first_status(one, now - fresh),
        }
        for one in alerted
    }
    new = await db.insert(tx.connection, rows.values())
    recipients = {(row["corp_id"], row["userid"]) for row in new if row["status"] in ("OPEN", "WAITING")}
    await make_due(tx, recipients, now + gather)


def _first_status(alerted: Alerted, oldest: datetime) -> str:
    if alerted.importance == LOW:
        return "LISTED"
    if alerted.arrived_at <= oldest:
        return "EXPIRED"
    # The release before puts OPEN ones into words, and knows paid orders only.
    return "OPEN" if isinstance(alerted.details, OrderPaid) else "WAITING"


async def channel_names(connection: Connection, corp_id: str, rows: Iterable[Row]) -> Mapping[str, str]:
    """Channel → name, for the channels that these alerts of a corp tell of."""
    details = [json.loads(row["details"]) for row in rows if row["kind"] == domain.KINDS[FriendAdded]]
    return await channels.names_of(connection, corp_id, (one["channel_id"] for one in details))


def alert_of(row: Row, customer_name: str | None, channels_called: Mapping[str, str]) -> domain.Alert:
    """What an alert's row tells; a row of the release before has an order's columns only.

    `channels_called`: `channel_names` of rows with this one among them.
    """
    if row["details"] is None:
        paid = OrderPaid(row["mall_id"], row["order_id"], row["amount_fen"], "CNY")
        return domain.Alert(row["alert_id"], customer_name, paid, "THANK", contact_id=row["contact_id"])
    details = domain.from_json(row["kind"], json.loads(row["details"]))
    channel = channels_called.get(details.channel_id) if isinstance(details, FriendAdded) else None
    return domain.Alert(row["alert_id"], customer_name, details, row["next_step"], channel, row["contact_id"])


def zone_of(corps: Corps, corp_id: str) -> ZoneInfo:
    corp = corps.find(corp_id)
    return ZoneInfo(corp.timezone) if corp else USUAL_ZONE


class AlertMessages:
    def __init__(
        self, outbox: Outbox, messenger: Messenger, sealer: Sealer, corps: Corps, gather: timedelta, site: str = ""
    ) -> None:
        """`site`: where our pages are; messages link there."""
        self._outbox, self._messenger, self._sealer, self._corps = outbox, messenger, sealer, corps
        self._gather, self._site = gather, site.rstrip("/")

    async def perform(self, claim: scheduled.Claim) -> None:
        """Sends one message to the employee `claim.key`; after a crash the same words again."""
        corp_id, userid, recipient = claim.corp_id, claim.key, claim.key
        async with self._outbox.transaction() as tx:
            message = await db.attempting(tx.connection, corp_id, userid)
            if message is None:
                rows = await db.unsent(tx.connection, corp_id, userid, KINDS, MOST_PER_MESSAGE)
                if not rows:
                    await scheduled.finish(tx.connection, KIND, [(claim, "nothing left")])
                    return
                message_id, content = await self._begin(tx, corp_id, userid, rows)
            else:
                message_id, content = message["message_id"], self._sealer.open(corp_id, message["sealed_content"])
                renames = await onward(tx.connection, [(corp_id, userid)])
                recipient = known_as(userid, message["attempted_at"], renames.get(corp_id, ()))
        try:
            await self._messenger.send_text(corp_id, recipient, content, scheduled.CALL_SECONDS)
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
            more = await db.unsent(tx.connection, corp_id, userid, KINDS, 1)
            if more:
                await scheduled.postpone(tx.connection, KIND, [(claim, datetime.now(UTC) + self._gather)])
            else:
                await scheduled.finish(tx.connection, KIND, [(claim, "sent")])

    async def make_due_again(self) -> int:
        """Makes messages due for alerts that a replica of the release before passed over; returns for how many."""
        async with self._outbox.transaction() as tx:
            left = await db.left_behind(tx.connection, KIND, KINDS, LEFT_BEHIND)
            await make_due(tx, {(row["corp_id"], row["userid"]) for row in left}, datetime.now(UTC))
        return len(left)

    async def _begin(self, tx: Tx, corp_id: str, userid: str, rows: Sequence[Row]) -> tuple[str, str]:
        """The message, its words fixed before the call, and its id."""
        sealed = await names.sealed_contact(tx.connection, corp_id, [row["contact_id"] for row in rows])
        named = {one: self._sealer.open(corp_id, name) for one, name in sealed.items()}
        called = await channel_names(tx.connection, corp_id, rows)
        alerts = [alert_of(row, named.get(row["contact_id"]), called) for row in rows]
        content, inside = domain.compose(alerts, zone_of(self._corps, corp_id), self._site)
        message_id = str(uuid7())
        await db.begin_message(
            tx.connection,
            corp_id,
            message_id,
            userid,
            self._sealer.seal(corp_id, content),
            [row["alert_id"] for row in rows[:inside]],
        )
        return message_id, content

    async def _again(self, claim: scheduled.Claim) -> None:
        async with self._outbox.transaction() as tx:
            await scheduled.postpone(
                tx.connection, KIND, [(claim, datetime.now(UTC) + RETRY * min(claim.attempts, 30))]
            )


async def make_due(tx: Tx, recipients: Iterable[tuple[str, str]], due_at: datetime) -> None:
    await scheduled.schedule_again(
        tx.connection, KIND, [scheduled.Job(corp_id, userid, due_at) for corp_id, userid in recipients]
    )
