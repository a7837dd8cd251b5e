"""The sandbox's own interface: what people do, how hostile it is, what was called and sent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from deploy.sandbox import events
from deploy.sandbox.api import Api
from deploy.sandbox.delivery import Courier, Delivery, callback
from deploy.sandbox.faults import Faults
from deploy.sandbox.replay import Replay
from deploy.sandbox.shop import Shop
from deploy.sandbox.world import Corp, Member, World


class Control:
    def __init__(self, world: World, faults: Faults, api: Api, courier: Courier) -> None:
        self._world, self._faults, self._api, self._courier = world, faults, api, courier
        self._sending: set[asyncio.Task[Any]] = set()
        self._replays: dict[str, Replay] = {}
        self._people = 0

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/sandbox/scan", self.scan)
        app.router.add_post("/sandbox/delete", self.delete)
        app.router.add_post("/sandbox/edit", self.edit)
        app.router.add_post("/sandbox/event", self.event)
        app.router.add_post("/sandbox/member", self.member)
        app.router.add_post("/sandbox/order", self.order)
        app.router.add_post("/sandbox/faults", self.faults)
        app.router.add_get("/sandbox/calls", self.calls)
        app.router.add_get("/sandbox/deliveries", self.deliveries)
        app.router.add_get("/sandbox/messages", self.messages)
        app.router.add_post("/sandbox/replay", self.start_replay)
        app.router.add_get("/sandbox/replay", self.show_replay)

    async def scan(self, request: web.Request) -> web.Response:
        """Somebody scans a contact way and becomes a friend; they get a name, a unionid and a shop account.

        With `half` the member has not confirmed yet; /sandbox/event says the rest.
        """
        body = await _body(request)
        corp = self._corp(body)
        way = corp.way_of(body.get("state"), body.get("config_id"))
        userids = way.body.get("user", []) if way else list(corp.members)
        userid = str(body.get("userid") or userids[self._people % len(userids)])
        if userid not in corp.members:
            raise web.HTTPBadRequest(text=f"userid: {userid} is no member")
        self._people += 1
        person = corp.add_person(str(body.get("person") or f"walk-in {self._people}"))
        at = int(body.get("at") or time.time())
        state = way.body.get("state", "") if way else str(body.get("state") or "")
        welcome = events.befriend(corp, person, userid, state, at)
        if welcome is not None:
            self._tell(corp, events.added(corp, welcome, at, half=bool(body.get("half"))))
        return web.json_response(
            {
                "external_userid": person.external_userid,
                "userid": userid,
                "name": person.name,
                "yz_open_ids": person.yz_open_ids,
                "welcome_code": welcome.code if welcome else None,
            }
        )

    async def delete(self, request: web.Request) -> web.Response:
        body = await _body(request)
        corp, at = self._corp(body), int(body.get("at") or time.time())
        told = events.part(corp, body["userid"], body["external_userid"], body.get("by", "customer"), at)
        if told is not None:
            self._tell(corp, told)
        return web.json_response({"told": told is not None})

    async def edit(self, request: web.Request) -> web.Response:
        """The member edits the contact; with `bind` its unionid can be seen from now on."""
        body = await _body(request)
        corp, at = self._corp(body), int(body.get("at") or time.time())
        if body.get("bind"):
            corp.people[body["external_userid"]].bound = True
        self._tell(corp, events.event(corp, "edit_external_contact", body["userid"], body["external_userid"], at))
        return web.json_response({})

    async def event(self, request: web.Request) -> web.Response:
        """Any change_external_contact event as WeCom would word it; `fields` are what its kind carries besides."""
        body = await _body(request)
        corp, at = self._corp(body), int(body.get("at") or time.time())
        if body.get("change") not in events.CHANGES:
            raise web.HTTPBadRequest(text=f"change: expected one of {', '.join(events.CHANGES)}")
        fields = {str(name): str(value) for name, value in body.get("fields", {}).items()}
        self._tell(corp, events.event(corp, body["change"], body["userid"], body["external_userid"], at, **fields))
        return web.json_response({})

    async def member(self, request: web.Request) -> web.Response:
        """An administrator moves a member to `departments`, adds one who was not there, or with `gone` removes one."""
        body = await _body(request)
        corp, userid, at = self._corp(body), str(body.get("userid") or ""), int(time.time())
        known = corp.members.get(userid)
        departments = [int(one) for one in body.get("departments", [1])]
        if not userid or not set(departments) <= {one["id"] for one in corp.departments}:
            raise web.HTTPBadRequest(text="userid and departments: expected a userid and departments that exist")
        if body.get("gone"):
            corp.members.pop(userid, None)
            self._tell(corp, events.member_event(corp, "delete_user", userid, at))
            return web.json_response({})
        corp.members[userid] = Member(userid, known.name if known else str(body.get("name", userid)), departments)
        change = "update_user" if known else "create_user"
        listed = ",".join(map(str, departments))
        self._tell(corp, events.member_event(corp, change, userid, at, Department=listed))
        return web.json_response({})

    async def order(self, request: web.Request) -> web.Response:
        """A friend orders in the shop, and pays unless `pay` is false. `yuan` is text with two decimals."""
        body = await _body(request)
        corp = self._corp(body)
        mall = next((m for m in corp.config["mall"] if m["id"] == body.get("mall_id", m["id"])), None)
        person = corp.people.get(body.get("external_userid", "")) or next(iter(corp.people.values()), None)
        if mall is None or person is None:
            raise web.HTTPBadRequest(text="no such mall, or nobody has become a friend yet")
        shop, now = Shop(corp, mall), datetime.now(UTC)
        buyer = str(body.get("yz_open_id") or person.yz_open_ids[0])
        yuan = str(body.get("yuan", "128.00"))
        order_id = str(body.get("order_id") or f"E{now:%Y%m%d%H%M%S%f}")
        self._send(shop.order("trade_TradeCreate", order_id, buyer, yuan, now, now))
        if body.get("pay", True):
            self._send(shop.order("trade_TradePaid", order_id, buyer, yuan, now, now))
        owner = next((f.userid for f in corp.friendships.of_customer(person.external_userid)), None)
        return web.json_response({"order_id": order_id, "yuan": yuan, "buyer": person.name, "userid": owner})

    async def faults(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(self._faults.change(await _body(request)))
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
        body = await _body(request)
        corp = self._corp(body)
        replay = self._replays[corp.corp_id] = Replay(
            corp,
            self._courier,
            states=body["states"],
            today=body["today"],
            seed=int(body.get("seed", 1)),
            buyers=int(body.get("buyers", 0)),
            at_once=int(body.get("at_once", 24)),
            per_second=float(body.get("per_second", 0)),
        )
        self._keep(replay.run())
        return web.json_response(replay.progress())

    async def show_replay(self, request: web.Request) -> web.Response:
        replay = self._replays.get(request.query.get("corp_id", next(iter(self._replays), "")))
        if replay is None:
            raise web.HTTPNotFound(text="no replay was started")
        return web.json_response(replay.progress())

    def _corp(self, body: dict[str, Any]) -> Corp:
        corps = self._world.corps
        corp = corps.get(body["corp_id"]) if "corp_id" in body else next(iter(corps.values()))
        if corp is None:
            raise web.HTTPBadRequest(text="corp_id: unknown")
        return corp

    def _tell(self, corp: Corp, plain: str) -> None:
        """Every app of the corp hears of it."""
        what = plain.split("<ChangeType><![CDATA[", 1)[1].split("]]>", 1)[0]
        for app in corp.config["app"]:
            self._send(callback(corp, app, what, plain))

    def _send(self, delivery: Delivery) -> None:
        self._keep(self._with_faults(delivery))

    async def _with_faults(self, delivery: Delivery) -> None:
        faults = self._faults
        if faults.happens(faults.delay) or faults.happens(faults.reorder):
            await asyncio.sleep(faults.delay_seconds * faults.random.random())
        twice = faults.happens(faults.duplicate)
        await self._courier.send(delivery)
        if twice:
            again = Delivery(delivery.kind, delivery.what, delivery.path, delivery.sign, delivery.pauses)
            await self._courier.send(again)

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise web.HTTPBadRequest(text="the body is not JSON") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body is not a JSON object")
    return body
