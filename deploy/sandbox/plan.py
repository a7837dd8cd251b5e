"""All messages of a replay in the order of their business time, as docs/replay.md says; the referee reads the same
rules and shares no code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from deploy.sandbox import events
from deploy.sandbox.delivery import Delivery, callback
from deploy.sandbox.log import Purchase
from deploy.sandbox.people import Person
from deploy.sandbox.shop import BEIJING, Line, Order, Shop, one_line
from deploy.sandbox.world import Corp

EMPLOYEES, CODES = 200, 8
UNPAID_BUYERS, UNPAID_FEN = 200, 9900
GUEST_BUYERS, GUEST_FEN = 200, 6600
RENAMED, RENAMED_TO, RENAMED_DAYS_BEFORE_END = "guide_042", "guide_042_new", 500
SECOND_APP_SEES = {f"guide_{number:03d}" for number in range(2, EMPLOYEES, 4)} | {RENAMED_TO}
USUAL_PAUSE, LATE_FRIENDS_PAUSE = timedelta(seconds=21), timedelta(hours=2)
# What becomes of the buyers with this number modulo 43; the others are only added.
LATE_FRIEND, HALF, SECOND, SECOND_CHANNEL, HANDED_OVER, LOST, CAME_BACK, TAKEN_BACK = 3, 4, 7, 8, 11, 12, 15, 16
LAST_DAY_OF_WINDOW, DAY_AFTER_WINDOW = 19, 20
FEATURE_OF_STORY = {
    LATE_FRIEND: "late_friends", HALF: "half_adds", SECOND: "second_employee", SECOND_CHANNEL: "second_channel",
    HANDED_OVER: "handovers", LOST: "lost_friends", CAME_BACK: "returning_friends", TAKEN_BACK: "returning_friends",
    LAST_DAY_OF_WINDOW: "window_edges", DAY_AFTER_WINDOW: "window_edges",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One message, made when it is sent. `buyer` and `is_add` tell what was displaced past what."""

    at: datetime
    buyer: int
    is_add: bool
    make: Callable[[], Delivery]


class Plan:
    """`states`: the eight live codes'; `today`: the day of the run; `features`: what of the world is switched on."""

    def __init__(self, corp: Corp, states: list[str], today: date, features: frozenset[str]) -> None:
        self._corp, self._states, self._features = corp, states, features
        for app in list(corp.apps.values())[1:]:
            app.visible = SECOND_APP_SEES if "two_apps" in features else set()
        self._shop = Shop(corp, corp.config["mall"][0])
        self._last_day = today - timedelta(days=1)
        self._renamed_at = _on(self._last_day - timedelta(days=RENAMED_DAYS_BEFORE_END), 12)
        self._steps: list[Step] = []

    def steps(self, log: list[Purchase], buyers: int) -> list[Step]:
        """Of the first so many buyers (0: of all)."""
        shift = self._last_day - max(purchase.day for purchase in log)
        by_buyer: dict[int, list[tuple[datetime, Purchase]]] = defaultdict(list)
        for purchase in sorted(log, key=lambda p: (p.day, p.number)):
            if not buyers or purchase.buyer <= buyers:
                moment = _on(purchase.day + shift, 10) + timedelta(seconds=purchase.number % 36000)
                by_buyer[purchase.buyer].append((moment, purchase))
        for buyer, purchases in by_buyer.items():
            self._buyer(buyer, purchases)
        if "rename" in self._features:
            self._tell(self._renamed_at, 0, RENAMED_TO, self._rename)
        return sorted(self._steps, key=lambda step: step.at)

    def _buyer(self, buyer: int, purchases: list[tuple[datetime, Purchase]]) -> None:
        mark = f"{buyer * 2654435761 % 2**32:08x}"  # makes ids look like a platform's
        ids = [f"yz{buyer:05d}a{mark}", f"yz{buyer:05d}b{mark}"][: 2 if buyer % 5 == 0 else 1]
        person = self._corp.add_person(f"buyer {buyer}", ids, bound=buyer % 20 != 0)
        first = purchases[0][0]
        story = buyer % 43 if FEATURE_OF_STORY.get(buyer % 43) in self._features else None
        added = first + timedelta(minutes=30) if story == LATE_FRIEND else first - timedelta(hours=1 + buyer % 72)
        self._friendship(buyer, person, story, added, first)
        if story in (LAST_DAY_OF_WINDOW, DAY_AFTER_WINDOW):
            moment, last = purchases[-1]
            self._at_window_edge(buyer, person, story, first, moment + self._pause(last.number))
        if not person.bound:
            self._reveal(buyer, person, added + timedelta(days=2))
        for position, (moment, purchase) in enumerate(purchases):
            pause = LATE_FRIENDS_PAUSE if story == LATE_FRIEND and position == 0 else self._pause(purchase.number)
            self._purchase(purchase, ids[position % len(ids)], moment, moment + pause)
        if buyer <= UNPAID_BUYERS:
            self._unpaid(buyer, ids[0])
        if buyer <= GUEST_BUYERS and buyer % 4 == 1 and "guests" in self._features:
            self._guest(buyer)

    def _friendship(self, buyer: int, person: Person, story: int | None, added: datetime, first: datetime) -> None:
        own, code = _guide(buyer), buyer * 7919 % CODES
        other = (code + 4) % CODES
        self._add(buyer, person, own, code, added, half=story == HALF)
        if story == SECOND:
            self._add(buyer, person, _guide(buyer + 96), code, first + timedelta(days=2))
        elif story == SECOND_CHANNEL:
            self._add(buyer, person, _guide(buyer + 100), other, first + timedelta(days=2))
        elif story == HANDED_OVER:
            at = first + timedelta(days=10)
            told = events.hand_over(self._corp, person.external_userid, own, _guide(buyer + 8), int(at.timestamp()))
            assert told is not None and len(told) == 2, "the taker was no friend before"
            userids = (self._named(own, at), self._named(_guide(buyer + 8), at))
            for plain, userid, former in zip(told, userids, (own, _guide(buyer + 8)), strict=True):
                said = plain.replace(f"[{former}]", f"[{userid}]")
                self._tell(at, buyer, userid, lambda _, said=said: said)  # type: ignore[misc]
        elif story in (LOST, CAME_BACK, TAKEN_BACK):
            self._part(buyer, person, own, "staff" if story == TAKEN_BACK else "customer", first + timedelta(days=3))
            if story != LOST:
                self._add(buyer, person, own, other, first + timedelta(days=20))

    def _at_window_edge(self, buyer: int, person: Person, story: int, first: datetime, paid: datetime) -> None:
        """So long before the last payment that it is just inside the window, or just outside."""
        day = paid.astimezone(BEIJING).date()
        inside = story == LAST_DAY_OF_WINDOW
        at = _on(day - timedelta(days=90), 9) if inside else _on(day - timedelta(days=91), 23)
        if at > first + timedelta(days=2):
            self._add(buyer, person, _guide(buyer + 100), (buyer * 7919 + 4) % CODES, at)

    def _add(self, buyer: int, person: Person, userid: str, code: int, at: datetime, *, half: bool = False) -> None:
        add = events.befriend(self._corp, person, userid, self._states[code], int(at.timestamp()))
        assert add is not None, "a replay starts from an empty world, and nobody scans while they are friends"
        named = events.Add(self._named(userid, at), add.external_userid, add.state, add.codes)
        seconds = int(at.timestamp())
        self._tell(at, buyer, named.userid, lambda agent_id: named.told(self._corp, agent_id, seconds, half=half), True)
        if half:
            # By then the code was used or is dead: the confirmation carries none.
            later = at + timedelta(seconds=40)
            confirmed = events.Add(named.userid, named.external_userid, named.state)
            told_at = int(later.timestamp())
            self._tell(later, buyer, named.userid, lambda agent_id: confirmed.told(self._corp, agent_id, told_at))

    def _part(self, buyer: int, person: Person, userid: str, by: str, at: datetime) -> None:
        plain = events.part(self._corp, userid, person.external_userid, by, int(at.timestamp()))
        assert plain is not None, "they were friends"
        named = self._named(userid, at)
        said = plain.replace(f"[{userid}]", f"[{named}]")
        self._tell(at, buyer, named, lambda _: said)

    def _reveal(self, buyer: int, person: Person, at: datetime) -> None:
        userid = self._named(_guide(buyer), at)

        def plain(_: int) -> str:
            person.bound = True
            seconds = int(at.timestamp())
            return events.event(self._corp, "edit_external_contact", userid, person.external_userid, seconds)

        self._tell(at, buyer, userid, plain)

    def _rename(self, _: int) -> str:
        if RENAMED in self._corp.members:
            self._corp.rename(RENAMED, RENAMED_TO)
        at = int(self._renamed_at.timestamp())
        return events.member_event(self._corp, "update_user", RENAMED, at, NewUserID=RENAMED_TO)

    def _named(self, userid: str, at: datetime) -> str:
        """What WeCom calls the member at that time."""
        renamed = "rename" in self._features and userid == RENAMED and at >= self._renamed_at
        return RENAMED_TO if renamed else userid

    def _purchase(self, purchase: Purchase, buyer_id: str, at: datetime, paid: datetime) -> None:
        number, buyer = purchase.number, purchase.buyer
        order = Order(f"E{at:%Y%m%d}{number:08d}", buyer_id, at, self._lines(purchase, f"{at:%Y%m%d}{number:08d}"))
        self._course(buyer, order, at, paid)
        if number % 40 == 0 and "buyer_pay" in self._features:
            self._mall(paid, buyer, lambda: self._shop.order("trade_TradeBuyerPay", order, paid))
        later, refund_id = at + timedelta(days=1), f"R{number:08d}"
        if number % 100 == 0:
            for position, line in enumerate(order.lines):
                if line.payment_fen:
                    self._refund(buyer, order, f"{refund_id}-{position}", line.payment_fen, later, line.oid)
        elif number % 50 == 0 and purchase.fen // 2:
            self._refund(buyer, order, refund_id, purchase.fen // 2, later, "")

    def _course(self, buyer: int, order: Order, at: datetime, paid: datetime) -> None:
        """Created, paid, shipped, completed."""
        shipped, done = paid + timedelta(hours=1), paid + timedelta(hours=2)
        shop, order_id = self._shop, order.order_id
        self._mall(at, buyer, lambda: shop.order("trade_TradeCreate", order, at))
        self._mall(paid, buyer, lambda: shop.order("trade_TradePaid", order, paid))
        self._mall(shipped, buyer, lambda: shop.step("trade_TradeSellerShip", order_id, shipped, express_id=1))
        self._mall(done, buyer, lambda: shop.step("trade_TradeSuccess", order_id, done))

    def _refund(self, buyer: int, order: Order, refund_id: str, fen: int, at: datetime, oid: str) -> None:
        shop = self._shop
        self._mall(at, buyer, lambda: shop.refund(order.order_id, refund_id, fen, at, oid=oid))
        if oid and "line_refunds" in self._features:
            # Both families tell of one refund.
            self._mall(at, buyer, lambda: shop.refund(order.order_id, refund_id, fen, at, oid=oid, newer=True))

    def _lines(self, purchase: Purchase, oid: str) -> list[Line]:
        number, fen = purchase.number, purchase.fen
        count = 1 + (number % 4 == 0) + (number % 8 == 0)
        if "lines" not in self._features or fen < count:
            count = 1
        return [
            Line(
                oid if n == 0 else f"{oid}{n:02d}",
                fen * (n + 1) // count - fen * n // count,
                discount_fen=100 * (number % 7),
                product=1 + (number + n) % 50,
            )
            for n in range(count)
        ]

    def _pause(self, number: int) -> timedelta:
        late = number % 5 == 0 and "late_payments" in self._features
        return timedelta(hours=1 + number % 20) if late else USUAL_PAUSE

    def _unpaid(self, buyer: int, buyer_id: str) -> None:
        at = _on(self._last_day, 10) + timedelta(seconds=buyer)
        closed = at + timedelta(hours=1)
        shop, order = self._shop, one_line(f"E{self._last_day:%Y%m%d}9{buyer:07d}", buyer_id, at, UNPAID_FEN)
        reason = {"close_type": 1, "close_reason": "超时未付款"}
        self._mall(at, buyer, lambda: shop.order("trade_TradeCreate", order, at))
        self._mall(closed, buyer, lambda: shop.step("trade_TradeClose", order.order_id, closed, **reason))

    def _guest(self, buyer: int) -> None:
        at = _on(self._last_day, 11) + timedelta(seconds=buyer)
        self._course(0, one_line(f"E{self._last_day:%Y%m%d}8{buyer:07d}", "", at, GUEST_FEN), at, at + USUAL_PAUSE)

    def _mall(self, at: datetime, buyer: int, make: Callable[[], Delivery]) -> None:
        self._steps.append(Step(at, buyer, False, make))

    def _tell(self, at: datetime, buyer: int, userid: str, plain: Callable[[int], str], is_add: bool = False) -> None:
        """Each app's message is worded once, when it is first sent: its copies are the same to the letter."""
        seeing = [app for app in self._corp.config["app"] if self._corp.apps[app["agent_id"]].sees(userid)]
        for position, app in enumerate(seeing):
            worded: list[str] = []

            def make(app=app, worded=worded) -> Delivery:  # type: ignore[no-untyped-def]
                if not worded:
                    worded.append(plain(app["agent_id"]))
                what = worded[0].split("<ChangeType><![CDATA[", 1)[1].split("]]>", 1)[0]
                return callback(self._corp, app, what, worded[0])

            self._steps.append(Step(at, buyer, is_add and position == 0, make))


def _guide(number: int) -> str:
    return f"guide_{number % EMPLOYEES:03d}"


def _on(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=BEIJING)
