"""The sandbox's own interface: what administrators and buyers do, how hostile it is, what was called and sent."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from aiohttp import web

from deploy.sandbox import events
from deploy.sandbox.api import Api
from deploy.sandbox.delivery import Courier
from deploy.sandbox.faults import Faults
from deploy.sandbox.people import Member
from deploy.sandbox.replay import Replay
from deploy.sandbox.requests import body_of, corp_of
from deploy.sandbox.sending import Sender
from deploy.sandbox.shop import Line, Order, Shop, yuan
from deploy.sandbox.world import World

STATUSES = (1, 2, 4, 5)


class Control:
    def __init__(self, world: World, faults: Faults, api: Api, courier: Courier, sender: Sender) -> None:
        self._world, self._faults, self._api = world, faults, api
        self._courier, self._sender = courier, sender
        self._replays: dict[str, Replay] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/sandbox/member", self.member)
        app.router.add_post("/sandbox/app", self.app)
        app.router.add_post("/sandbox/order", self.order)
        app.router.add_post("/sandbox/refund", self.refund)
        app.router.add_post("/sandbox/faults", self.faults)
        app.router.add_get("/sandbox/calls", self.calls)
        app.router.add_get("/sandbox/deliveries", self.deliveries)
        app.router.add_get("/sandbox/messages", self.messages)
        app.router.add_post("/sandbox/replay", self.start_replay)
        app.router.add_get("/sandbox/replay", self.show_replay)

    async def member(self, request: web.Request) -> web.Response:
        """An administrator adds a member or changes one: `departments`, `status` (1 active, 2 disabled, 4 not
        activated, 5 left), `has_contacts`, `new_userid`; with `gone` the member is removed, with `only_told` the event
        is sent and nothing happens."""
        body = await body_of(request)
        corp, userid, at = corp_of(self._world, body), str(body.get("userid") or ""), int(body.get("at") or time.time())
        known = corp.members.get(userid)
        departments = [int(one) for one in body.get("departments", known.departments if known else [1])]
        status = int(body.get("status", known.status if known else 1))
        new_userid = str(body.get("new_userid") or "")
        if not userid or not set(departments) <= {one["id"] for one in corp.departments} or status not in STATUSES:
            text = "userid, departments, status: expected a userid, departments that exist, and 1, 2, 4 or 5"
            raise web.HTTPBadRequest(text=text)
        if not body.get("only_told"):
            if new_userid and (known is None or new_userid in corp.members):
                raise web.HTTPBadRequest(text="new_userid: expected one that nobody has, for a member")
            if body.get("gone"):
                corp.members.pop(userid, None)
            else:
                name = str(body.get("name") or (known.name if known else userid))
                may = bool(body.get("has_contacts", known.has_contacts if known else True))
                corp.members[userid] = Member(userid, name, departments, status, may)
            if new_userid:
                corp.rename(userid, new_userid)
        if body.get("gone"):
            self._sender.tell(corp, userid, events.member_event(corp, "delete_user", userid, at))
            return web.json_response({})
        fields = {"NewUserID": new_userid, "Department": ",".join(map(str, departments)), "Status": str(status)}
        change = "update_user" if known or new_userid else "create_user"
        self._sender.tell(corp, new_userid or userid, events.member_event(corp, change, userid, at, **fields))
        return web.json_response({})

    async def app(self, request: web.Request) -> web.Response:
        """What an app may: `visible` (userids; null: everybody), `trusted` (its caller's address), `may_contacts`."""
        body = await body_of(request)
        corp = corp_of(self._world, body)
        app = corp.apps.get(int(body.get("agent_id") or next(iter(corp.apps))))
        if app is None:
            raise web.HTTPBadRequest(text="agent_id: unknown")
        if "visible" in body:
            app.visible = None if body["visible"] is None else {str(one) for one in body["visible"]}
        app.trusted = bool(body.get("trusted", app.trusted))
        app.may_contacts = bool(body.get("may_contacts", app.may_contacts))
        return web.json_response({"agent_id": app.agent_id})

    async def order(self, request: web.Request) -> web.Response:
        """A friend orders in the shop, and pays unless `pay` is false. `yuan` is text with two decimals.

        `lines` (yuan, a list) instead of `yuan` makes as many lines; `guest` leaves the buyer's account out.
        """
        body = await body_of(request)
        corp = corp_of(self._world, body)
        mall = next((m for m in corp.config["mall"] if m["id"] == body.get("mall_id", m["id"])), None)
        person = corp.people.get(body.get("external_userid", "")) or next(iter(corp.people.values()), None)
        if mall is None or person is None:
            raise web.HTTPBadRequest(text="no such mall, or nobody has become a friend yet")
        shop, now = Shop(corp, mall), datetime.now(UTC)
        buyer = "" if body.get("guest") else str(body.get("yz_open_id") or person.yz_open_ids[0])
        order_id = str(body.get("order_id") or f"E{now:%Y%m%d%H%M%S%f}")
        amounts = [_fen(one) for one in body.get("lines") or [body.get("yuan", "128.00")]]
        oids = [order_id[1:] + (f"{n:02d}" if n else "") for n in range(len(amounts))]
        lines = [Line(oid, fen, product=n + 1) for n, (oid, fen) in enumerate(zip(oids, amounts, strict=True))]
        placed = Order(order_id, buyer, now, lines)
        self._sender.send(shop.order("trade_TradeCreate", placed, now))
        if body.get("pay", True):
            self._sender.send(shop.order("trade_TradePaid", placed, now))
        owner = next((f.userid for f in corp.friendships.of_customer(person.external_userid)), None)
        return web.json_response(
            {
                "order_id": order_id, "yuan": yuan(placed.payment_fen), "buyer": person.name, "userid": owner,
                "oids": oids,
            }
        )  # fmt: skip

    async def refund(self, request: web.Request) -> web.Response:
        """Money goes back: `order_id`, `yuan`, and `oid` for one line; `newer` says it in the newer family."""
        body = await body_of(request)
        corp = corp_of(self._world, body)
        mall = next((m for m in corp.config["mall"] if m["id"] == body.get("mall_id", m["id"])), None)
        if mall is None or not body.get("order_id"):
            raise web.HTTPBadRequest(text="mall_id, order_id: expected a mall and an order")
        now = datetime.now(UTC)
        refund_id = str(body.get("refund_id") or f"R{now:%Y%m%d%H%M%S%f}")
        fen, oid, newer = _fen(body.get("yuan", "1.00")), str(body.get("oid") or ""), bool(body.get("newer"))
        delivery = Shop(corp, mall).refund(str(body["order_id"]), refund_id, fen, now, oid=oid, newer=newer)
        self._sender.send(delivery)
        return web.json_response({"refund_id": refund_id})

    async def faults(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(self._faults.change(await body_of(request)))
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None

    async def calls(self, request: web.Request) -> web.Response:
        api, since = request.query.get("api"), float(request.query.get("since", 0))
        found = [call for call in self._api.calls if call["at"] >= since and api in (None, call["api"])]
        return web.json_response({"calls": found})

    async def deliveries(self, request: web.Request) -> web.Response:
        """All of them with `all=1`; else only counts and those that were given up."""
        log = self._courier.log
        counts = {status: sum(1 for d in log if d.status == status) for status in ("open", "delivered", "given_up")}
        shown = [d.shown() for d in log if d.status == "given_up" or request.query.get("all")]
        return web.json_response({**counts, "deliveries": shown})

    async def messages(self, request: web.Request) -> web.Response:
        """App messages as members received them; the dropped ones are only counted."""
        corp = self._world.corps[request.query["corp_id"]]
        every = [message for inbox in corp.messages.values() for message in inbox]
        received = [{"userid": m.userid, "content": m.content, "at": m.at} for m in every if not m.dropped]
        return web.json_response({"received": received, "dropped": len(every) - len(received)})

    async def start_replay(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        corp = corp_of(self._world, body)
        try:
            replay = Replay(
                corp,
                self._courier,
                states=body["states"],
                today=body["today"],
                seed=int(body.get("seed", 1)),
                buyers=int(body.get("buyers", 0)),
                at_once=int(body.get("at_once", 24)),
                per_second=float(body.get("per_second", 0)),
                without=body.get("without", ()),
            )
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        self._replays[corp.corp_id] = replay
        self._sender.keep(replay.run())
        return web.json_response(replay.progress())

    async def show_replay(self, request: web.Request) -> web.Response:
        replay = self._replays.get(request.query.get("corp_id", next(iter(self._replays), "")))
        if replay is None:
            raise web.HTTPNotFound(text="no replay was started")
        return web.json_response(replay.progress())


def _fen(text: str) -> int:
    whole, _, cents = str(text).partition(".")
    return int(whole) * 100 + int((cents + "00")[:2])
