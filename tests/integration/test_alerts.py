"""Alerts of all causes: kept, put into messages, listed; also beside a replica of the release before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bihuan.common.v1.money_pb2 import Money
from bihuan.engagement.v1 import alert_service_pb2 as pb
from bihuan.identity.v1.facts_pb2 import ContactRead, StaffPlaced
from bihuan.staff.v1.facts_pb2 import AlertKind, Importance, NextStep, StaffAlerted, StaffAlertRaised
from google.protobuf.timestamp_pb2 import Timestamp
from nats.js import JetStreamContext

from chassis import publishing, scheduled
from chassis.consumer import Consumer, Durable
from chassis.errors import Invalid
from chassis.facts import new_fact
from chassis.kernel import caller
from chassis.kernel.staff_subject import staff_suffix
from chassis.moments import stamp
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway
from engagement.app.alerts import KIND, AlertMessages
from engagement.consumers import Handlers
from engagement.db import alert_lists
from engagement.rpc.alerts import AlertServicer
from tests import facts as f
from tests.conftest import CORP, Room, received
from tests.marking import corps
from tests.waiting import until

Rooms = Callable[..., Any]
NOW = datetime.now(UTC).replace(microsecond=0)
GATHER = timedelta(0)


def durable(handlers: Handlers, name: str) -> Durable:
    return next(one for one in (*handlers.welcome_durables(), *handlers.alert_durables()) if one.name.endswith(name))


def said(
    alert_id: str,
    userid: str = "anna",
    *,
    seconds: int = 0,
    importance: int = Importance.IMPORTANCE_NORMAL,
    **details: Any,
) -> StaffAlerted:
    return StaffAlerted(
        alert_id=alert_id.rjust(16, "0"),
        corp_id=CORP,
        userid=userid,
        cause=f"{next(iter(details))}/{alert_id}",
        contact_id=f.uid("external_userid", 1),
        importance=importance,  # type: ignore[arg-type]
        next_step=NextStep.NEXT_STEP_GREET,
        at=stamp(NOW + timedelta(seconds=seconds)),
        arrived_at=stamp(NOW + timedelta(seconds=seconds)),
        **details,
    )


PAID: Any = {"order_paid": StaffAlerted.OrderPaid(mall_id="yz", order_id="E1", paid=Money(amount=5, currency="CNY"))}
REFUND: Any = {
    "order_refunded": StaffAlerted.OrderRefunded(
        mall_id="yz", order_id="E2", refund_id="R", refunded=Money(amount=7, currency="CNY")
    )
}
ADDED: Any = {"friend_added": StaffAlerted.FriendAdded(channel_id=f.uid("channel", 1))}
LOST: Any = {"friend_lost": StaffAlerted.FriendLost(added_at=stamp(NOW))}


class Phones:
    """message/send: what lies on each employee's phone."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str]] = []
        self.away = False

    async def send_text(self, corp_id: str, userid: str, content: str, seconds: float) -> None:
        if self.away:
            raise WeComAway("nobody answers")
        self.messages.append((userid, content))


async def send_all(room: Room, phones: Phones, sealer: Sealer) -> None:
    messages = AlertMessages(room.outbox, phones, sealer, corps(), GATHER)
    await room.pool.execute("update due_rows set due_at = now() where status = 'due'")
    while claims := await scheduled.claim(room.pool, KIND, 10):
        for claim in claims:
            await messages.perform(claim)


async def test_each_cause_reaches_the_phone_in_its_own_words(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    phones = Phones()
    low = Importance.IMPORTANCE_LOW
    facts = [said("1", **PAID), said("2", **REFUND), said("3", importance=low, **ADDED), said("4", **LOST)]
    async with rooms("engagement") as room:
        await room.take(durable(handlers, "staff-alerted"), [received(one, one.alert_id) for one in facts])
        await send_all(room, phones, sealer)
        assert [userid for userid, _ in phones.messages] == ["anna"]
        content = phones.messages[0][1]
        assert "付款 ¥0.05" in content
        assert "退款 ¥0.07" in content
        assert "不再是您的好友" in content
        assert "添加您为好友" not in content
        assert await room.rows("select alert_id, status from alerts order by 1") == [
            {"alert_id": "1".rjust(16, "0"), "status": "DELIVERED"},
            {"alert_id": "2".rjust(16, "0"), "status": "DELIVERED"},
            {"alert_id": "3".rjust(16, "0"), "status": "LISTED"},
            {"alert_id": "4".rjust(16, "0"), "status": "DELIVERED"},
        ]


async def test_the_same_payment_said_by_both_releases_is_one_alert(rooms: Rooms, handlers: Handlers) -> None:
    new = said("1", **PAID)
    new.cause = "order_paid/yz/E1"
    old = StaffAlertRaised(
        alert_id=new.alert_id, corp_id=CORP, userid="anna", kind=AlertKind.ALERT_KIND_ORDER_PAID,
        contact_id=new.contact_id, mall_id="yz", order_id="E1", amount=Money(amount=5, currency="CNY"),
        at=new.at, arrived_at=new.arrived_at,
    )  # fmt: skip
    kept = []
    for first, second in ((new, old), (old, new)):
        async with rooms("engagement") as room:
            for one in (first, second):
                name = "alert-raised" if one is old else "staff-alerted"
                await room.take(durable(handlers, name), [received(one, name)])
            kept.append(
                await room.rows("select alert_id, kind, cause, details, mall_id, order_id, amount_fen from alerts")
            )
    assert len(kept[0]) == 1
    assert kept[0] == kept[1]


def of_next_year(alert_id: str) -> StaffAlerted:
    """Details, importance and next step that nobody has words for yet."""
    bare = said(alert_id, **PAID)
    bare.ClearField("details")
    bare.importance = bare.next_step = 99  # type: ignore[assignment]
    return StaffAlerted.FromString(bare.SerializeToString() + b"\x8a\x7d\x00")  # field 2001, empty


async def test_a_kind_of_next_years_release_waits_for_it(
    rooms: Rooms, handlers: Handlers, jetstream: JetStreamContext
) -> None:
    await jetstream.purge_stream("STAFF")
    known = said("2", **PAID)
    known.next_step = 99  # type: ignore[assignment]
    async with rooms("engagement") as room:
        one = Consumer(durable(handlers, "staff-alerted"), jetstream, room.outbox, replicas=1, after=lambda: None)
        running = asyncio.create_task(one.run())
        try:
            for alert in (of_next_year("1"), known):
                suffix = staff_suffix(CORP, alert.userid)
                fact = new_fact(alert, corp_id=CORP, source="tests", fact_id=alert.alert_id, subject_suffix=suffix)
                await publishing.publish(jetstream, fact, timeout=5)
            await until(lambda: room.rows("select 1 from alerts"))
            assert await room.rows("select next_step from alerts") == [{"next_step": "UNSPECIFIED"}]
            assert await room.rows("select * from dead_letters") == []
            assert await room.rows("select durable, fact_id from later_facts") == [
                {"durable": one.durable.name, "fact_id": said("1", **PAID).alert_id}
            ]
            assert await one.handle_later() == 0
        finally:
            await one.stop()
            await asyncio.wait([running], timeout=10)
            await jetstream.delete_consumer("STAFF", one.durable.name)


async def test_alerts_that_next_years_release_has_put_down_are_left_to_it(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    phones = Phones()
    async with rooms("engagement") as room:
        facts = [said("1", **REFUND), said("2", **LOST)]
        await room.take(durable(handlers, "staff-alerted"), [received(one, one.alert_id) for one in facts])
        await room.pool.execute("update alerts set kind = 'ALERT_KIND_NEW' where alert_id like '%1'")
        await send_all(room, phones, sealer)
        rows = await room.rows("select alert_id, status from alerts order by 1")
        assert [row["status"] for row in rows] == ["WAITING", "DELIVERED"]
        caller.enter({"bihuan-corp": CORP, "bihuan-role": "ADMIN"})
        answer = await AlertServicer(room.pool, sealer, corps()).GetAlertFigures(pb.GetAlertFiguresRequest(), None)
        assert [one.kind for one in answer.by_kind] == [pb.AlertKind.ALERT_KIND_FRIEND_LOST]


async def test_what_the_release_before_passes_over_is_sent_by_this_one(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    phones = Phones()
    async with rooms("engagement") as room:
        await room.take(durable(handlers, "staff-alerted"), [received(said("1", **REFUND), "1")])
        # It sees OPEN alerts only, finds none and is done.
        await room.pool.execute("update due_rows set status = 'done', done_at = now()")
        messages = AlertMessages(room.outbox, phones, sealer, corps(), GATHER)
        assert await messages.make_due_again() == 1
        assert await messages.make_due_again() == 0
        await send_all(room, phones, sealer)
        assert len(phones.messages) == 1


async def test_an_alert_of_the_release_before_is_sent_and_listed(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    phones = Phones()
    async with rooms("engagement") as room:
        await room.pool.execute(
            """
            insert into alerts (
                corp_id, alert_id, userid, kind, contact_id, mall_id, order_id, amount_fen, at, arrived_at, status
            )
            values ($1, 'A', 'anna', 'ALERT_KIND_ORDER_PAID', $2, 'yz', 'E9', 11, now(), now(), 'OPEN')
            """,
            CORP,
            f.uid("external_userid", 1),
        )
        assert await AlertMessages(room.outbox, phones, sealer, corps(), GATHER).make_due_again() == 1
        await send_all(room, phones, sealer)
        assert "付款 ¥0.11，订单 E9" in phones.messages[0][1]
        answer = await listed(room, sealer)
        assert answer.alerts[0].order_paid.paid.amount == 11
        assert answer.alerts[0].status == pb.AlertStatus.ALERT_STATUS_DELIVERED


async def test_a_message_that_was_cut_off_is_repeated_word_for_word(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    phones = Phones()
    async with rooms("engagement") as room:
        alerted = durable(handlers, "staff-alerted")
        await room.take(alerted, [received(said("1", **REFUND), "1")])
        phones.away = True
        messages = AlertMessages(room.outbox, phones, sealer, corps(), GATHER)
        await room.pool.execute("update due_rows set due_at = now()")
        (claim,) = await scheduled.claim(room.pool, KIND, 1)
        await messages.perform(claim)
        await room.take(alerted, [received(said("2", **PAID), "2")])
        phones.away = False
        await send_all(room, phones, sealer)
        await send_all(room, phones, sealer)
        assert [content.count(" · ") for _, content in phones.messages] == [1, 1]
        figures = await as_caller(
            AlertServicer(room.pool, sealer, corps()).GetAlertFigures, pb.GetAlertFiguresRequest()
        )
        assert (figures.raised, figures.delivered, figures.messages) == (1, 1, 2)
        assert {one.kind: (one.raised, one.delivered) for one in figures.by_kind} == {
            pb.AlertKind.ALERT_KIND_ORDER_PAID: (1, 1),
            pb.AlertKind.ALERT_KIND_ORDER_REFUNDED: (1, 1),
        }


# -- lists


async def as_caller(rpc: Callable[..., Any], request: Any, userid: str = "boss", role: str = "ADMIN") -> Any:
    caller.enter({"bihuan-corp": CORP, "bihuan-userid": userid, "bihuan-role": role})
    return await rpc(request, None)


async def listed(room: Room, sealer: Sealer, userid: str = "boss", role: str = "ADMIN", **request: Any) -> Any:
    servicer = AlertServicer(room.pool, sealer, corps())
    return await as_caller(servicer.ListAlerts, pb.ListAlertsRequest(**request), userid, role)


async def told(room: Room, handlers: Handlers, sealer: Sealer) -> None:
    """Seven alerts of three employees; carl manages the department that anna is within."""
    kinds = (PAID, REFUND, LOST, ADDED)
    facts = [said(str(n), ("anna", "bob", "carl")[n % 3], seconds=n // 2, **kinds[n % 4]) for n in range(7)]
    await room.take(durable(handlers, "staff-alerted"), [received(one, one.alert_id) for one in facts])
    read = ContactRead(
        corp_id=CORP, contact=f.identifier("external_userid", 1), sealed_name=sealer.seal(CORP, "王小芳"), version=1
    )
    await room.take(durable(handlers, "contact-read"), [received(read, "read")])
    places = [
        StaffPlaced(corp_id=CORP, userid="anna", active=True, version=1, within_department_ids=[7]),
        StaffPlaced(corp_id=CORP, userid="bob", active=True, version=1, within_department_ids=[8]),
        StaffPlaced(corp_id=CORP, userid="carl", active=True, version=1, managed_department_ids=[7]),
    ]
    await room.take(durable(handlers, "place-on-staff-placed"), [received(one, one.userid) for one in places])


def ids(answer: Any) -> list[int]:
    return [int(one.alert_id) for one in answer.alerts]


async def test_everybody_is_listed_what_they_may_see(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        assert ids(await listed(room, sealer)) == [6, 5, 4, 3, 2, 1, 0]
        assert ids(await listed(room, sealer, userid="anna", role="FRONTLINE")) == [6, 3, 0]
        assert ids(await listed(room, sealer, "carl", "MANAGER")) == [6, 5, 3, 2, 0]
        assert ids(await listed(room, sealer, "carl", "FRONTLINE")) == [6, 5, 3, 2, 0]


async def test_a_list_is_filtered_and_paged_without_gaps(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        found, token = [], ""
        while True:
            page = await listed(room, sealer, page_size=2, page_token=token)
            found += ids(page)
            token = page.next_page_token
            if not token:
                break
        assert found == [6, 5, 4, 3, 2, 1, 0]
        assert ids(await listed(room, sealer, kind=pb.AlertKind.ALERT_KIND_ORDER_REFUNDED)) == [5, 1]
        servicer, ask = AlertServicer(room.pool, sealer, corps()), pb.ListAlertsRequest
        bob = await as_caller(servicer.ListAlerts, ask(userid="BOB"))
        assert ids(bob) == [4, 1]
        nobody = await as_caller(servicer.ListAlerts, ask(userid="bob"), "anna", "FRONTLINE")
        assert ids(nobody) == []
        between: Any = {"since": stamp(NOW + timedelta(seconds=1)), "until": stamp(NOW + timedelta(seconds=2))}
        assert ids(await listed(room, sealer, **between)) == [3, 2]


async def test_what_could_not_be_delivered_is_listed_with_the_answer(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        message_id = f.uid("message")
        await room.pool.execute(
            """
            insert into app_messages (corp_id, message_id, userid, sealed_content, status, errcode)
            values ($1, $2, 'anna', '', 'REFUSED', 81013)
            """,
            CORP,
            message_id,
        )
        await room.pool.execute(
            "update alerts set status = 'REFUSED', message_id = $1 where alert_id::int in (0, 1)", message_id
        )
        await room.pool.execute("update alerts set status = 'EXPIRED' where alert_id::int = 6")
        found = await listed(room, sealer, undelivered=True)
        assert [(int(one.alert_id), one.errcode) for one in found.alerts] == [(6, 0), (1, 81013), (0, 81013)]
        assert ids(await listed(room, sealer, "anna", "FRONTLINE", undelivered=True)) == [6, 0]
        assert ids(await listed(room, sealer, "bob", "FRONTLINE", undelivered=True)) == [1]


async def test_an_analyst_reads_masked_names(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        assert (await listed(room, sealer)).alerts[-1].sentence == "王小芳 付款 ¥0.05，订单 E1，可打个招呼"
        assert (await listed(room, sealer, role="ANALYST")).alerts[-1].sentence.startswith("王** 付款")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"page_size": 201}, "pageSize"),
        ({"page_token": "x"}, "pageToken"),
        ({"since": Timestamp(seconds=9), "until": Timestamp(seconds=9)}, "until"),
        ({"contact_id": "x"}, "contactId"),
        ({"kind": 99}, "kind"),
        ({"status": 99}, "status"),
        ({"status": pb.AlertStatus.ALERT_STATUS_OPEN, "undelivered": True}, "status"),
    ],
)
async def test_a_wrong_question_is_refused(rooms: Rooms, sealer: Sealer, request_: Any, field: str) -> None:
    async with rooms("engagement") as room:
        with pytest.raises(Invalid) as refusal:
            await listed(room, sealer, **request_)
        assert refusal.value.field == field


@pytest.mark.parametrize(("role", "userid"), [("ADMIN", "boss"), ("FRONTLINE", "guide7"), ("ADMIN", "guide7")])
async def test_a_list_reads_no_more_than_its_page(rooms: Rooms, sealer: Sealer, role: str, userid: str) -> None:
    """With 200 employees and 100,000 alerts, what is read follows from the page and the number of kinds."""
    async with rooms("engagement") as room:
        await room.pool.execute(
            """
            insert into alerts (
                corp_id, alert_id, userid, kind, contact_id, mall_id, order_id, amount_fen, at, arrived_at, status
            )
            select $1, n::text, 'guide' || n % 200, 'ALERT_KIND_ORDER_PAID', ($2::uuid[])[1 + n % 1000], 'yz', 'E', 1,
                   now() - make_interval(secs => n), now(), case when n % 500 < 3 then 'REFUSED' else 'DELIVERED' end
            from generate_series(1, 100000) n
            """,
            CORP,
            [f.uid("external_userid", n) for n in range(1000)],
        )
        await room.pool.execute("analyze alerts")
        kinds = ["ALERT_KIND_ORDER_PAID", "ALERT_KIND_FRIEND_LOST"]
        userids = None if userid == "boss" else [userid]
        anything = alert_lists.Wanted(kinds, userids, None, None)
        for wanted in (
            anything,
            replace(anything, statuses=["EXPIRED", "REFUSED"]),
            replace(anything, statuses=["LISTED"]),
            replace(anything, contact_id=f.uid("external_userid", 7)),
        ):
            query = alert_lists.PAGE.format(alert_lists.walk(wanted))
            arguments = alert_lists.arguments(CORP, wanted, None, "", 50)
            plan = await room.pool.fetch(f"explain (analyze, timing off) {query}", *arguments)
            lines = [row[0] for row in plan]
            few = wanted.contact_id is not None  # of one contact's, others' are read and dropped
            assert not any("Seq Scan on alerts" in line for line in lines), lines
            assert few or not any("Removed by Filter" in line for line in lines), lines
            rows = [float(line.split("actual rows=")[1].split()[0]) for line in lines if "on alerts" in line]
            assert rows
            assert max(rows) <= 50


async def test_one_contacts_alerts_are_listed_by_status_and_counted(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        about = f.uid("external_userid", 2)
        await room.pool.execute("update alerts set contact_id = $1 where alert_id::int in (1, 2, 5, 6)", about)
        await room.pool.execute("update alerts set status = 'DELIVERED' where alert_id::int in (2, 3, 5)")
        assert ids(await listed(room, sealer, contact_id=about)) == [6, 5, 2, 1]
        assert ids(await listed(room, sealer, "anna", "FRONTLINE", contact_id=about)) == [6]
        assert ids(await listed(room, sealer, contact_id=f.uid("external_userid", 9))) == []
        delivered = pb.AlertStatus.ALERT_STATUS_DELIVERED
        assert ids(await listed(room, sealer, contact_id=about, status=delivered)) == [5, 2]
        assert ids(await listed(room, sealer, status=delivered)) == [5, 3, 2]
        assert ids(await listed(room, sealer, "anna", "FRONTLINE", status=delivered)) == [3]
        counted = await listed(room, sealer, page_size=2, with_total=True)
        assert (ids(counted), counted.total.count, counted.total.at_least) == ([6, 5], 7, False)
        counted = await listed(
            room, sealer, contact_id=about, with_total=True, kind=pb.AlertKind.ALERT_KIND_FRIEND_LOST
        )
        assert (ids(counted), counted.total.count) == ([6, 2], 2)
        assert not (await listed(room, sealer)).HasField("total")


async def test_every_open_alert_is_listed_as_open(rooms: Rooms, handlers: Handlers, sealer: Sealer) -> None:
    """Those that the release before could not put into words wait under a status of their own."""
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        statuses = {row["status"] for row in await room.rows("select status from alerts")}
        assert {"OPEN", "WAITING"} <= statuses
        assert ids(await listed(room, sealer, status=pb.AlertStatus.ALERT_STATUS_OPEN)) == [6, 5, 4, 3, 2, 1, 0]


async def test_figures_of_who_is_confined_are_those_of_their_own(
    rooms: Rooms, handlers: Handlers, sealer: Sealer
) -> None:
    async with rooms("engagement") as room:
        await told(room, handlers, sealer)
        await send_all(room, Phones(), sealer)

        async def figures(userid: str, role: str) -> tuple[int, int, int]:
            servicer = AlertServicer(room.pool, sealer, corps())
            one = await as_caller(servicer.GetAlertFigures, pb.GetAlertFiguresRequest(), userid, role)
            return sum(kind.raised for kind in one.by_kind), sum(kind.delivered for kind in one.by_kind), one.messages

        assert await figures("boss", "ADMIN") == (7, 7, 3)
        assert await figures("anna", "FRONTLINE") == (3, 3, 1)
        assert await figures("carl", "MANAGER") == (5, 5, 2)
        assert await figures("dora", "FRONTLINE") == (0, 0, 0)
