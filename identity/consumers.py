"""Which facts identity takes, and who takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC

from bihuan.commerce.v1.facts_pb2 import BuyerIdentified, OrderAttributed
from bihuan.mall.v1.facts_pb2 import OrderCreated, OrderPaid
from bihuan.wecom.v1 import facts_pb2 as wecom

from chassis.consumer import Durable
from chassis.facts import Received
from chassis.outbox import Tx
from identity.app import contacts, staff
from identity.app.people import Observation, observe
from identity.app.relations import Followed, record
from identity.db import customers

FOLLOW_KINDS = {
    wecom.ContactAdded: "added",
    wecom.ContactDeleted: "deleted_by_staff",
    wecom.FollowerDeleted: "deleted_by_customer",
}


async def follow_on_contact_changed(tx: Tx, facts: Sequence[Received]) -> None:
    followed, seen, to_read = [], [], set()
    for fact in facts:
        message = fact.message
        at = message.at.ToDatetime(UTC)
        kind = FOLLOW_KINDS.get(type(message))
        if kind is not None:
            by_transfer = isinstance(message, wecom.ContactDeleted) and message.by_transfer
            followed.append(Followed(fact.corp_id, fact.id, message.contact.id, message.userid, kind, by_transfer, at))
        seen.append(Observation(fact.corp_id, (message.contact,), at))
        if isinstance(message, (wecom.ContactAdded, wecom.ContactEdited)):
            to_read.add((fact.corp_id, message.contact.id))
    await record(tx, followed)
    await observe(tx, seen, "wecom")
    await contacts.ask(tx, to_read)


async def name_buyer_on_order(tx: Tx, facts: Sequence[Received]) -> None:
    await observe(
        tx,
        [
            Observation(
                fact.corp_id,
                tuple(fact.message.detail.buyer),
                fact.message.order.at.ToDatetime(UTC),
            )
            for fact in facts
        ],
        "mall",
    )


async def link_on_buyer_identified(tx: Tx, facts: Sequence[Received]) -> None:
    await observe(
        tx,
        [Observation(fact.corp_id, tuple(fact.message.identifiers), fact.message.at.ToDatetime(UTC)) for fact in facts],
        "mall-buyer",
    )


async def value_on_order_attributed(tx: Tx, facts: Sequence[Received]) -> None:
    newest: dict[tuple[str, str, str], OrderAttributed] = {}
    for fact in facts:
        message = fact.message
        key = (fact.corp_id, message.mall_id, message.order_id)
        if key not in newest or newest[key].version < message.version:
            newest[key] = message
    await customers.save_order_values(
        tx.connection,
        [
            (*key, m.buyer_id, m.paid.amount if m.HasField("paid") else None, m.refunded.amount, m.version)
            for key, m in newest.items()
        ],
    )


async def reread_on_address_book_changed(tx: Tx, facts: Sequence[Received]) -> None:
    members, books = set(), set()
    for fact in facts:
        message = fact.message
        if message.change_type.endswith("_user"):
            members |= {(fact.corp_id, userid) for userid in (message.userid, message.new_userid) if userid}
        elif message.change_type.endswith("_party"):
            books.add(fact.corp_id)
    await staff.ask_for_members(tx, members)
    await staff.ask_for_book(tx, books)


async def count_on_unknown_event(tx: Tx, facts: Sequence[Received]) -> None:
    counts = Counter((fact.corp_id, fact.message.event, fact.message.change_type) for fact in facts)
    for (corp_id, event, change_type), seen in sorted(counts.items()):
        await customers.count_unknown(tx.connection, corp_id, event, change_type, seen)


CONTACTS = Durable(
    "identity-follow-on-contact-changed",
    "EDGE",
    (
        wecom.ContactAdded,
        wecom.ContactEdited,
        wecom.ContactDeleted,
        wecom.FollowerDeleted,
        wecom.TransferFailed,
        wecom.ArchiveConsented,
    ),
    follow_on_contact_changed,
)
STAFF = Durable(
    "identity-reread-on-address-book-changed", "EDGE", (wecom.AddressBookChanged,), reread_on_address_book_changed
)
OTHERS = (
    Durable("identity-name-buyer-on-order", "EDGE", (OrderCreated, OrderPaid), name_buyer_on_order),
    Durable("identity-link-on-buyer-identified", "COMMERCE", (BuyerIdentified,), link_on_buyer_identified),
    Durable("identity-value-on-order-attributed", "COMMERCE", (OrderAttributed,), value_on_order_attributed),
    Durable("identity-count-on-unknown-event", "EDGE", (wecom.UnknownEventReceived,), count_on_unknown_event),
)
DURABLES = (CONTACTS, STAFF, *OTHERS)
