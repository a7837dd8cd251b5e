"""Which facts acquisition takes, and who takes them."""

from __future__ import annotations

from collections.abc import Sequence

from bihuan.identity.v1.facts_pb2 import IdentifiersAssigned, StaffPlaced, StaffRenamed
from bihuan.wecom.v1.facts_pb2 import ContactAdded

from acquisition.app.renames import rename
from acquisition.app.touches import Added, acquire
from chassis.consumer import HASTY_ACK_WAIT_SECONDS, Durable
from chassis.facts import Received
from chassis.kernel.projections import assign_identifiers
from chassis.kernel.renames import renames_in
from chassis.kernel.scope import place_staff
from chassis.moments import moment
from chassis.outbox import Tx


async def acquire_on_contact_added(tx: Tx, facts: Sequence[Received]) -> None:
    await acquire(
        tx,
        [
            Added(
                corp_id=fact.corp_id,
                touch_id=fact.id,
                contact_id=fact.message.contact.id,
                sealed_contact=fact.message.contact.sealed,
                userid=fact.message.userid,
                state=fact.message.state,
                half=fact.message.half,
                sealed_welcome_code=fact.message.sealed_welcome_code,
                agent_id=fact.message.agent_id,
                added_at=moment(fact.message.at),
                arrived_at=moment(fact.message.arrived_at),
            )
            for fact in facts
        ],
    )


async def place_on_identifiers_assigned(tx: Tx, facts: Sequence[Received]) -> None:
    await assign_identifiers(tx, [fact.message for fact in facts])


async def scope_on_staff_placed(tx: Tx, facts: Sequence[Received]) -> None:
    await place_staff(tx, [fact.message for fact in facts])


async def rename_on_staff_renamed(tx: Tx, facts: Sequence[Received]) -> None:
    await rename(tx, renames_in(facts))


RENAMES = Durable(
    "acquisition-rename-on-staff-renamed",
    "IDENTITY",
    (StaffRenamed,),
    rename_on_staff_renamed,
    idempotent=True,
)
DURABLES = (
    Durable(
        "acquisition-acquire-on-contact-added",
        "EDGE",
        (ContactAdded,),
        acquire_on_contact_added,
        ack_wait_seconds=HASTY_ACK_WAIT_SECONDS,
        idempotent=True,
    ),
    Durable(
        "acquisition-place-on-identifiers-assigned",
        "IDENTITY",
        (IdentifiersAssigned,),
        place_on_identifiers_assigned,
        idempotent=True,
    ),
    Durable(
        "acquisition-scope-on-staff-placed",
        "IDENTITY",
        (StaffPlaced,),
        scope_on_staff_placed,
        idempotent=True,
    ),
    RENAMES,
)
