"""Which facts engagement takes, and who takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bihuan.acquisition.v1.facts_pb2 import ChannelChanged, CustomerAcquired
from bihuan.identity.v1.facts_pb2 import ContactRead, StaffPlaced, StaffRenamed
from bihuan.staff.v1.facts_pb2 import Importance, NextStep, StaffAlerted, StaffAlertRaised
from google.protobuf.unknown_fields import UnknownFieldSet

from chassis.consumer import HASTY_ACK_WAIT_SECONDS, Durable
from chassis.errors import Invalid
from chassis.facts import Received
from chassis.kernel.alerts import as_staff_alerted
from chassis.kernel.identifiers import Identifiers
from chassis.kernel.renames import renames_in
from chassis.kernel.scope import place_staff
from chassis.moments import moment
from chassis.outbox import Tx
from chassis.sealing import Sealer
from engagement.app import alerts, renames, welcome_plans, welcomes
from engagement.db import names
from engagement.db.channels import CHANNELS
from engagement.db.welcomes import expedite
from engagement.domain.alerts import Details, FriendAdded, FriendLost, OrderPaid, OrderRefunded
from engagement.settings import Settings


class Handlers:
    def __init__(self, settings: Settings, sealer: Sealer, identifiers: Identifiers) -> None:
        self._settings, self._sealer, self._identifiers = settings, sealer, identifiers

    async def welcome_on_customer_acquired(self, tx: Tx, facts: Sequence[Received]) -> None:
        acquired = [
            welcome_plans.Acquired(
                corp_id=fact.corp_id,
                contact_id=fact.message.contact.id,
                userid=fact.message.userid,
                channel_id=fact.message.channel_id,
                sealed_welcome_code=fact.message.sealed_welcome_code,
                agent_id=fact.message.agent_id,
                added_at=moment(fact.message.added_at),
                arrived_at=moment(fact.message.arrived_at),
            )
            for fact in facts
        ]
        patience = timedelta(seconds=self._settings.name_patience_seconds)
        await welcome_plans.plan(tx, acquired, self._sealer, self._identifiers, patience)

    async def name_on_contact_read(self, tx: Tx, facts: Sequence[Received]) -> None:
        rows = [
            {
                "corp_id": fact.corp_id,
                "contact_id": fact.message.contact.id,
                "sealed_name": fact.message.sealed_name,
                "version": fact.message.version,
            }
            for fact in facts
        ]
        await names.save_contacts(tx.connection, rows)
        contacts = sorted({(row["corp_id"], row["contact_id"]) for row in rows})
        await expedite(tx.connection, welcomes.KIND, contacts)

    async def name_on_staff_placed(self, tx: Tx, facts: Sequence[Received]) -> None:
        await names.STAFF.save(
            tx.connection,
            [
                {
                    "corp_id": fact.corp_id,
                    "userid": fact.message.userid,
                    "sealed_name": fact.message.sealed_name,
                    "version": fact.message.version,
                }
                for fact in facts
            ],
        )

    async def deliver_on_staff_alerted(self, tx: Tx, facts: Sequence[Received]) -> None:
        await self._deliver(tx, [_alerted(fact.message) for fact in facts])

    async def deliver_on_alert_raised(self, tx: Tx, facts: Sequence[Received]) -> None:
        """What the release before states: payments, and no other details."""
        await self._deliver(tx, [_alerted(as_staff_alerted(fact.message)) for fact in facts])

    async def _deliver(self, tx: Tx, alerted: Sequence[alerts.Alerted]) -> None:
        await alerts.take(
            tx,
            alerted,
            timedelta(seconds=self._settings.alert_gather_seconds),
            timedelta(seconds=self._settings.alert_fresh_seconds),
        )

    async def name_on_channel_changed(self, tx: Tx, facts: Sequence[Received]) -> None:
        rows = [
            {
                "corp_id": fact.corp_id,
                "channel_id": fact.message.channel_id,
                "name": fact.message.name,
                "version": fact.message.version,
            }
            for fact in facts
        ]
        await CHANNELS.save(tx.connection, rows)

    async def place_on_staff_placed(self, tx: Tx, facts: Sequence[Received]) -> None:
        await place_staff(tx, [fact.message for fact in facts])

    async def rename_on_staff_renamed(self, tx: Tx, facts: Sequence[Received]) -> None:
        await renames.rename(tx, renames_in(facts))

    def welcome_durables(self) -> tuple[Durable, ...]:
        return (
            Durable(
                "engagement-welcome-on-customer-acquired",
                "ACQUISITION",
                (CustomerAcquired,),
                self.welcome_on_customer_acquired,
                ack_wait_seconds=HASTY_ACK_WAIT_SECONDS,
                idempotent=True,
            ),
            Durable(
                "engagement-name-on-contact-read",
                "IDENTITY",
                (ContactRead,),
                self.name_on_contact_read,
                idempotent=True,
            ),
            Durable(
                "engagement-name-on-staff-placed",
                "IDENTITY",
                (StaffPlaced,),
                self.name_on_staff_placed,
                idempotent=True,
            ),
        )

    def alert_durables(self) -> tuple[Durable, ...]:
        return (
            Durable(
                "engagement-deliver-on-alert-raised",
                "STAFF",
                (StaffAlertRaised,),
                self.deliver_on_alert_raised,
                suffixed=True,
                idempotent=True,
            ),
            Durable(
                "engagement-deliver-on-staff-alerted",
                "STAFF",
                (StaffAlerted,),
                self.deliver_on_staff_alerted,
                suffixed=True,
                idempotent=True,
                reads=_has_words_for,
            ),
            Durable(
                "engagement-name-on-channel-changed",
                "ACQUISITION",
                (ChannelChanged,),
                self.name_on_channel_changed,
                idempotent=True,
            ),
            Durable(
                "engagement-place-on-staff-placed",
                "IDENTITY",
                (StaffPlaced,),
                self.place_on_staff_placed,
                idempotent=True,
            ),
            Durable(
                "engagement-rename-on-staff-renamed",
                "IDENTITY",
                (StaffRenamed,),
                self.rename_on_staff_renamed,
                idempotent=True,
            ),
        )


def _has_words_for(said: StaffAlerted) -> bool:
    """False for details of a kind that a later release states."""
    return said.WhichOneof("details") is not None or len(UnknownFieldSet(said)) == 0


def _name(enum: Any, number: int, prefix: str) -> str:
    """UNSPECIFIED for what only a later release knows."""
    return str(enum.Name(number if number in enum.values() else 0)).removeprefix(prefix)


def _alerted(said: StaffAlerted) -> alerts.Alerted:
    """Raises Invalid for an alert without details."""
    return alerts.Alerted(
        corp_id=said.corp_id,
        alert_id=said.alert_id,
        userid=said.userid,
        cause=said.cause,
        contact_id=said.contact_id,
        importance=_name(Importance, said.importance, "IMPORTANCE_"),
        next_step=_name(NextStep, said.next_step, "NEXT_STEP_"),
        at=moment(said.at),
        arrived_at=moment(said.arrived_at),
        details=_details(said),
    )


def _details(said: StaffAlerted) -> Details:
    match said.WhichOneof("details"):
        case "order_paid":
            paid = said.order_paid
            return OrderPaid(paid.mall_id, paid.order_id, paid.paid.amount, paid.paid.currency)
        case "order_refunded":
            refund = said.order_refunded
            return OrderRefunded(
                refund.mall_id, refund.order_id, refund.refund_id, refund.refunded.amount, refund.refunded.currency
            )
        case "friend_added":
            return FriendAdded(said.friend_added.channel_id, said.friend_added.returning)
        case "friend_lost":
            lost = said.friend_lost
            return FriendLost(moment(lost.added_at) if lost.HasField("added_at") else None)
    raise Invalid("ALERT_WITHOUT_DETAILS", field="details", expected="details of a kind that this release knows")
