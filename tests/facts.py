"""Messages for tests, spelled shortly. Times are seconds after a fixed morning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from bihuan.acquisition.v1.facts_pb2 import AcquisitionKind, CustomerAcquired
from bihuan.commerce.v1.facts_pb2 import BuyerIdentified
from bihuan.common.v1.identifier_pb2 import Identifier
from bihuan.common.v1.money_pb2 import Money
from bihuan.identity.v1.facts_pb2 import IdentifiersAssigned, RelationChanged, RelationSpan
from bihuan.mall.v1 import facts_pb2 as mall
from bihuan.wecom.v1 import facts_pb2 as wecom

from chassis.moments import stamp
from tests.conftest import CORP

MORNING = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
SPACE = UUID(int=7)


def at(seconds: int) -> datetime:
    return MORNING + timedelta(seconds=seconds)


def uid(*parts: object) -> str:
    return str(uuid5(SPACE, "/".join(map(str, parts))))


def identifier(kind: str, value: object) -> Identifier:
    return Identifier(kind=kind, id=uid(kind, value), sealed=b"sealed")


def added(contact: object, userid: str, seconds: int, *, state: str = "", half: bool = False) -> wecom.ContactAdded:
    return wecom.ContactAdded(
        corp_id=CORP,
        userid=userid,
        contact=identifier("external_userid", contact),
        state=state,
        half=half,
        at=stamp(at(seconds)),
        arrived_at=stamp(at(seconds)),
    )


def ended(
    contact: object, userid: str, seconds: int, *, by_customer: bool
) -> wecom.ContactDeleted | wecom.FollowerDeleted:
    kind = wecom.FollowerDeleted if by_customer else wecom.ContactDeleted
    return kind(
        corp_id=CORP,
        userid=userid,
        contact=identifier("external_userid", contact),
        at=stamp(at(seconds)),
        arrived_at=stamp(at(seconds)),
    )


def edited(contact: object, userid: str, seconds: int) -> wecom.ContactEdited:
    return wecom.ContactEdited(
        corp_id=CORP,
        userid=userid,
        contact=identifier("external_userid", contact),
        at=stamp(at(seconds)),
        arrived_at=stamp(at(seconds)),
    )


def renamed(userid: str, new_userid: str, seconds: int, *, arrived: datetime | None = None) -> wecom.AddressBookChanged:
    return wecom.AddressBookChanged(
        corp_id=CORP,
        change_type="update_user",
        userid=userid,
        new_userid=new_userid,
        at=stamp(at(seconds)),
        arrived_at=stamp(arrived or at(seconds)),
    )


def linked(kinds_and_values: list[tuple[str, object]], seconds: int) -> BuyerIdentified:
    names = [identifier(kind, value) for kind, value in kinds_and_values]
    return BuyerIdentified(corp_id=CORP, mall_id="yz", identifiers=names, at=stamp(at(seconds)))


def _ref(order: str, version: int) -> mall.OrderRef:
    moment = stamp(at(version))
    return mall.OrderRef(corp_id=CORP, mall_id="yz", order_id=order, version=version, at=moment, arrived_at=moment)


def _detail(buyer: object, fen: int, created: int, currency: str, lines: Sequence[mall.OrderLine]) -> mall.OrderDetail:
    return mall.OrderDetail(
        created_at=stamp(at(created)),
        total=Money(amount=fen, currency=currency),
        buyer=[] if buyer is None else [identifier("yz_open_id", buyer)],
        lines=lines,
    )


def line(line_id: str, fen: int, **fields: Any) -> mall.OrderLine:
    return mall.OrderLine(
        line_id=line_id, product_id="p", title="t", quantity=1, paid=Money(amount=fen, currency="CNY"), **fields
    )


def created(
    order: str, buyer: object, fen: int, seconds: int, *, currency: str = "CNY",
    lines: Sequence[mall.OrderLine] = (), version: int | None = None,
) -> mall.OrderCreated:  # fmt: skip
    return mall.OrderCreated(
        order=_ref(order, seconds if version is None else version), detail=_detail(buyer, fen, seconds, currency, lines)
    )


def paid(
    order: str, buyer: object, fen: int, seconds: int, *, ordered: int, currency: str = "CNY",
    lines: Sequence[mall.OrderLine] = (),
) -> mall.OrderPaid:  # fmt: skip
    return mall.OrderPaid(
        order=_ref(order, seconds),
        detail=_detail(buyer, fen, ordered, currency, lines),
        paid=Money(amount=fen, currency=currency),
        paid_at=stamp(at(seconds)),
    )


def shipped(order: str, seconds: int) -> mall.OrderShipped:
    return mall.OrderShipped(order=_ref(order, seconds))


def completed(order: str, seconds: int) -> mall.OrderCompleted:
    return mall.OrderCompleted(order=_ref(order, seconds))


def closed(order: str, seconds: int) -> mall.OrderClosed:
    return mall.OrderClosed(order=_ref(order, seconds), reason="timeout")


def refunded(
    order: str, refund: str, fen: int, seconds: int, *, currency: str = "CNY", lines: Mapping[str, int] | None = None
) -> mall.RefundSucceeded:
    """`lines`: how much of it is for which line."""
    return mall.RefundSucceeded(
        order=_ref(order, seconds),
        refund_id=refund,
        amount=Money(amount=fen, currency=currency),
        lines=[
            mall.RefundLine(line_id=line_id, amount=Money(amount=amount, currency=currency), quantity=1)
            for line_id, amount in (lines or {}).items()
        ],
    )


def assigned(customer: object, names: list[tuple[str, object]], version: int) -> IdentifiersAssigned:
    ids = sorted(uid(kind, value) for kind, value in names)
    return IdentifiersAssigned(corp_id=CORP, customer_id=uid("customer", customer), identifier_ids=ids, version=version)


def related(contact: object, userid: str, spans: list[tuple[int, int | None]], version: int) -> RelationChanged:
    return RelationChanged(
        corp_id=CORP,
        contact_id=uid("external_userid", contact),
        userid=userid,
        spans=[RelationSpan(added_at=stamp(at(a)), ended_at=None if e is None else stamp(at(e))) for a, e in spans],
        version=version,
    )


def acquired(
    touch: str, contact: object, userid: str, channel: object, seconds: int, *, version: int = 1,
    sealed_code: bytes = b"", arrived: datetime | None = None, confirmation: bool = False,
) -> CustomerAcquired:  # fmt: skip
    return CustomerAcquired(
        corp_id=CORP,
        touch_id=touch,
        version=version,
        contact=identifier("external_userid", contact),
        userid=userid,
        channel_id=uid("channel", channel),
        kind=AcquisitionKind.ACQUISITION_KIND_CONFIRMED if confirmation else AcquisitionKind.ACQUISITION_KIND_NEW,
        sealed_welcome_code=sealed_code,
        added_at=stamp(at(seconds)),
        arrived_at=stamp(arrived or at(seconds)),
    )
