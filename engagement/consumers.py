"""Which facts engagement takes, and who takes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta

from bihuan.acquisition.v1.facts_pb2 import CustomerAcquired
from bihuan.identity.v1.facts_pb2 import ContactRead, StaffPlaced
from bihuan.staff.v1.facts_pb2 import AlertKind, StaffAlertRaised

from chassis.consumer import HASTY_ACK_WAIT_SECONDS, Durable
from chassis.facts import Received
from chassis.kernel.identifiers import Identifiers
from chassis.outbox import Tx
from chassis.sealing import Sealer
from engagement.app import alerts, welcomes
from engagement.db import names
from engagement.db.welcomes import hasten
from engagement.settings import Settings


class Handlers:
    def __init__(self, settings: Settings, sealer: Sealer, identifiers: Identifiers) -> None:
        self._settings, self._sealer, self._identifiers = settings, sealer, identifiers

    async def welcome_on_customer_acquired(self, tx: Tx, facts: Sequence[Received]) -> None:
        acquired = [
            welcomes.Acquired(
                fact.corp_id,
                fact.message.contact.id,
                fact.message.userid,
                fact.message.channel_id,
                fact.message.sealed_welcome_code,
                fact.message.arrived_at.ToDatetime(UTC),
            )
            for fact in facts
        ]
        patience = timedelta(seconds=self._settings.name_patience_seconds)
        await welcomes.plan(tx, acquired, self._sealer, self._identifiers, patience)

    async def name_on_contact_read(self, tx: Tx, facts: Sequence[Received]) -> None:
        newest: dict[tuple[str, str], ContactRead] = {}
        for fact in facts:
            key = (fact.corp_id, fact.message.contact.id)
            if key not in newest or newest[key].version < fact.message.version:
                newest[key] = fact.message
        await names.save_contacts(tx.connection, [(*key, m.sealed_name, m.version) for key, m in newest.items()])
        await hasten(tx.connection, welcomes.KIND, list(newest))

    async def name_on_staff_placed(self, tx: Tx, facts: Sequence[Received]) -> None:
        newest: dict[tuple[str, str], StaffPlaced] = {}
        for fact in facts:
            key = (fact.corp_id, fact.message.userid)
            if key not in newest or newest[key].version < fact.message.version:
                newest[key] = fact.message
        await names.save_staff(tx.connection, [(*key, m.sealed_name, m.version) for key, m in newest.items()])

    async def deliver_on_alert_raised(self, tx: Tx, facts: Sequence[Received]) -> None:
        raised = [
            alerts.Alert(
                fact.corp_id,
                fact.message.alert_id,
                fact.message.userid,
                AlertKind.Name(fact.message.kind),
                fact.message.contact_id,
                fact.message.mall_id,
                fact.message.order_id,
                fact.message.amount.amount,
                fact.message.at.ToDatetime(UTC),
                fact.message.arrived_at.ToDatetime(UTC),
            )
            for fact in facts
        ]
        await alerts.take(
            tx,
            raised,
            timedelta(seconds=self._settings.alert_gather_seconds),
            timedelta(seconds=self._settings.alert_fresh_seconds),
        )

    def welcome_durables(self) -> tuple[Durable, ...]:
        return (
            Durable(
                "engagement-welcome-on-customer-acquired",
                "ACQUISITION",
                (CustomerAcquired,),
                self.welcome_on_customer_acquired,
                ack_wait_seconds=HASTY_ACK_WAIT_SECONDS,
            ),
            Durable("engagement-name-on-contact-read", "IDENTITY", (ContactRead,), self.name_on_contact_read),
            Durable("engagement-name-on-staff-placed", "IDENTITY", (StaffPlaced,), self.name_on_staff_placed),
        )

    def alert_durables(self) -> tuple[Durable, ...]:
        return (
            Durable(
                "engagement-deliver-on-alert-raised",
                "STAFF",
                (StaffAlertRaised,),
                self.deliver_on_alert_raised,
                suffixed=True,
            ),
        )
