"""Which facts identity takes, and who takes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

from bihuan.commerce.v1.facts_pb2 import BuyerIdentified, OrderAttributed
from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.mall.v1.facts_pb2 import OrderCreated, OrderPaid
from bihuan.wecom.v1 import facts_pb2 as wecom
from google.protobuf.message import Message

from chassis import dead_letters
from chassis.consumer import Durable, Handler
from chassis.errors import Invalid
from chassis.facts import Received
from chassis.kernel.corps import Corps
from chassis.kernel.renames import Rename
from chassis.logs import log
from chassis.outbox import Tx
from identity.app import contacts, renames, staff
from identity.app.changes import tell_customers
from identity.app.customers import Observation, observe
from identity.app.relations import News, record
from identity.app.renames import RenameNews
from identity.db import unknown_events
from identity.db.order_values import ORDER_VALUES
from identity.domain.relations import FollowEvent

USERID_TAKEN = "USERID_TAKEN"
FOLLOW_KINDS = {
    wecom.ContactAdded: "added",
    wecom.ContactDeleted: "deleted_by_staff",
    wecom.FollowerDeleted: "deleted_by_customer",
}


async def follow_on_contact_changed(tx: Tx, facts: Sequence[Received]) -> None:
    news, seen, to_read = [], [], set()
    for fact in facts:
        message = fact.message
        at = message.at.ToDatetime(UTC)
        kind = FOLLOW_KINDS.get(type(message))
        if kind is not None:
            event = FollowEvent(
                kind=kind,
                at=at,
                fact_id=fact.id,
                by_transfer=isinstance(message, wecom.ContactDeleted) and message.by_transfer,
                state=message.state if isinstance(message, wecom.ContactAdded) else "",
            )
            arrived_at = message.arrived_at.ToDatetime(UTC)
            news.append(News(fact.corp_id, message.contact.id, message.userid, event, arrived_at))
        seen.append(Observation(fact.corp_id, (message.contact,), at, fact_id=fact.id))
        if isinstance(message, (wecom.ContactAdded, wecom.ContactEdited)):
            to_read.add((fact.corp_id, message.contact.id))
    await record(tx, news)
    await observe(tx, seen, "wecom")
    await contacts.ask(tx, to_read)
    await tell_customers(tx, _heads(seen))


async def name_buyer_on_order(tx: Tx, facts: Sequence[Received]) -> None:
    seen = []
    for fact in facts:
        at = fact.message.order.at.ToDatetime(UTC)
        seen.append(Observation(fact.corp_id, tuple(fact.message.detail.buyer), at, fact_id=fact.id))
    await observe(tx, seen, "mall")
    await tell_customers(tx, _heads(seen))


async def link_on_buyer_identified(tx: Tx, facts: Sequence[Received]) -> None:
    seen = []
    for fact in facts:
        at = fact.message.at.ToDatetime(UTC)
        seen.append(Observation(fact.corp_id, tuple(fact.message.identifiers), at, fact_id=fact.id))
    await observe(tx, seen, "mall-buyer")
    await tell_customers(tx, _heads(seen))


def _heads(seen: Sequence[Observation]) -> Iterator[tuple[str, str]]:
    """One identifier of each: all that were seen with it are the same customer's, or were refused."""
    return ((one.corp_id, one.identifiers[0].id) for one in seen if one.identifiers)


async def value_on_order_attributed(tx: Tx, facts: Sequence[Received]) -> None:
    rows = [_value(fact.corp_id, fact.message) for fact in facts]
    changed = set(await ORDER_VALUES.save(tx.connection, rows))
    buyers = [
        (row["corp_id"], row["buyer_id"])
        for row in rows
        if row["buyer_id"] and (row["corp_id"], row["mall_id"], row["order_id"]) in changed
    ]
    await tell_customers(tx, buyers)


def _value(corp_id: str, message: OrderAttributed) -> dict[str, Any]:
    return {
        "corp_id": corp_id,
        "mall_id": message.mall_id,
        "order_id": message.order_id,
        "buyer_id": message.buyer_id,
        "paid_fen": message.paid.amount if message.HasField("paid") else None,
        "refunded_fen": message.refunded.amount,
        "currency": message.paid.currency or message.refunded.currency or None,
        "version": message.version,
    }


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


async def rename_on_address_book_changed(tx: Tx, facts: Sequence[Received]) -> None:
    news, by_id = [], {(fact.corp_id, fact.id): fact for fact in facts}
    for fact in facts:
        said = _rename_in(fact.message)
        if said is not None:
            news.append(RenameNews(fact.corp_id, fact.id, said, fact.message.arrived_at.ToDatetime(UTC)))
    for refused in await renames.rename(tx, news):
        fact = by_id[refused.corp_id, refused.fact_id]
        log.error("rename_refused", corp_id=fact.corp_id, fact_id=fact.id, reason=USERID_TAKEN, field="NewUserID")
        await dead_letters.add(
            tx.connection,
            renames.DURABLE,
            fact.subject,
            fact.headers,
            fact.payload,
            reason=USERID_TAKEN,
            detail=f"NewUserID: {renames.refusal(refused)}",
        )


def _rename_in(message: wecom.AddressBookChanged) -> Rename | None:
    if message.change_type != "update_user" or message.new_userid in ("", message.userid) or not message.userid:
        return None
    return Rename(message.at.ToDatetime(UTC), message.userid, message.new_userid)


async def count_on_unknown_event(tx: Tx, facts: Sequence[Received]) -> None:
    counts = Counter((fact.corp_id, fact.message.event, fact.message.change_type) for fact in facts)
    for (corp_id, event, change_type), seen in sorted(counts.items()):
        await unknown_events.count(tx.connection, corp_id, event, change_type, seen)


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
# A durable of its own: replicas of the release before share the other one, and know no renames.
RENAMES = Durable(renames.DURABLE, "EDGE", (wecom.AddressBookChanged,), rename_on_address_book_changed)
OTHERS = (
    Durable("identity-name-buyer-on-order", "EDGE", (OrderCreated, OrderPaid), name_buyer_on_order),
    Durable("identity-link-on-buyer-identified", "COMMERCE", (BuyerIdentified,), link_on_buyer_identified),
    Durable(
        "identity-value-on-order-attributed",
        "COMMERCE",
        (OrderAttributed,),
        value_on_order_attributed,
        idempotent=True,
    ),
    Durable("identity-count-on-unknown-event", "EDGE", (wecom.UnknownEventReceived,), count_on_unknown_event),
)
DURABLES = (CONTACTS, STAFF, RENAMES, *OTHERS)


def durables(corps: Corps) -> tuple[Durable, ...]:
    """DURABLES as a process runs them: facts that name people in a scope that the corp has not configured are refused,
    before anything of them is handled. Raises Invalid, so that each is a dead letter that names the field."""
    return tuple(replace(durable, handle=_within_scopes(durable.handle, corps)) for durable in DURABLES)


def _within_scopes(handle: Handler, corps: Corps) -> Handler:
    async def checked(tx: Tx, facts: Sequence[Received]) -> None:
        for fact in facts:
            corp = corps.find(fact.corp_id)
            for field, identifier in _identifiers_in(fact.message):
                if corp is not None and identifier.scope not in corp.scopes(identifier.kind):
                    expected = ", ".join(repr(one) for one in sorted(corp.scopes(identifier.kind)))
                    detail = f"{field}: {identifier.scope!r} is no scope of a {identifier.kind}, expected {expected}"
                    raise Invalid("SCOPE_UNKNOWN", detail, field=field, expected=expected)
        await handle(tx, facts)

    return checked


def _identifiers_in(message: Message) -> Iterator[tuple[str, Identifier]]:
    """Every identifier that a fact which identity takes may carry, with its field."""
    if isinstance(message, (OrderCreated, OrderPaid)):
        yield from ((f"detail.buyer[{n}].scope", one) for n, one in enumerate(message.detail.buyer))
    elif isinstance(message, BuyerIdentified):
        yield from ((f"identifiers[{n}].scope", one) for n, one in enumerate(message.identifiers))
    elif "contact" in message.DESCRIPTOR.fields_by_name:
        yield "contact.scope", message.contact  # type: ignore[attr-defined]
