"""What customers and the members beside them do: scan, confirm, edit, delete, agree, hand over."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from deploy.sandbox import events
from deploy.sandbox.faults import Faults
from deploy.sandbox.requests import body_of, corp_of
from deploy.sandbox.sending import Sender
from deploy.sandbox.world import Corp, World


class Customers:
    def __init__(self, world: World, faults: Faults, sender: Sender) -> None:
        self._world, self._faults, self._sender = world, faults, sender
        self._people = 0
        # Half adds that the member has not confirmed.
        self._halves: dict[tuple[str, str, str], events.Add] = {}

    def add_routes(self, app: web.Application) -> None:
        app.router.add_post("/sandbox/scan", self.scan)
        app.router.add_post("/sandbox/confirm", self.confirm)
        app.router.add_post("/sandbox/delete", self.delete)
        app.router.add_post("/sandbox/edit", self.edit)
        app.router.add_post("/sandbox/consent", self.consent)
        app.router.add_post("/sandbox/transfer", self.transfer)
        app.router.add_post("/sandbox/event", self.event)

    async def scan(self, request: web.Request) -> web.Response:
        """Somebody scans a contact way and becomes a friend; they get a name, a unionid and a shop account.

        With `half` the member has not confirmed yet. With `code` false no app gets a welcome code. With
        `awaits_consent` no welcome can be sent before they agree to the chat archive. `shop_bound` false: the shop
        does not know their WeChat account.
        """
        body = await body_of(request)
        corp = corp_of(self._world, body)
        way = corp.way_of(body.get("state"), body.get("config_id"))
        userids = way.body.get("user", []) if way else list(corp.members)
        userid = str(body.get("userid") or userids[self._people % len(userids)])
        if userid not in corp.members:
            raise web.HTTPBadRequest(text=f"userid: {userid} is no member")
        self._people += 1
        person = corp.add_person(str(body.get("person") or f"walk-in {self._people}"))
        person.shop_bound = bool(body.get("shop_bound", person.shop_bound))
        at = int(body.get("at") or time.time())
        state = way.body.get("state", "") if way else str(body.get("state") or "")
        had_left = corp.friendships.get(userid, person.external_userid) is not None
        with_code = bool(body.get("code", True)) and not self._faults.happens(self._faults.no_code)
        add = events.befriend(corp, person, userid, state, at, with_code=with_code)
        if add is not None:
            self._tell_add(corp, add, at, body, had_left)
        return web.json_response(
            {
                "external_userid": person.external_userid,
                "userid": userid,
                "name": person.name,
                "yz_open_ids": person.yz_open_ids,
                # Of the main app, and of each by its agent id.
                "welcome_code": next((one.code for one in add.codes.values()), None) if add else None,
                "welcome_codes": {agent_id: one.code for agent_id, one in add.codes.items()} if add else {},
            }
        )

    def _tell_add(self, corp: Corp, add: events.Add, at: int, body: dict[str, Any], had_left: bool) -> None:
        half = bool(body.get("half"))
        if body.get("awaits_consent"):
            friendship = corp.friendships.get(add.userid, add.external_userid)
            assert friendship is not None, "they have just become friends"
            friendship.awaits_consent = True
        if half:
            self._halves[corp.corp_id, add.userid, add.external_userid] = add
        if had_left and self._faults.happens(self._faults.quiet_return):
            return
        self._sender.tell(corp, add.userid, lambda agent_id: add.told(corp, agent_id, at, half=half))

    async def confirm(self, request: web.Request) -> web.Response:
        """The member's side of a half add is complete."""
        body = await body_of(request)
        corp, at = corp_of(self._world, body), int(body.get("at") or time.time())
        add = self._halves.pop((corp.corp_id, body["userid"], body["external_userid"]), None)
        if add is None:
            raise web.HTTPBadRequest(text="no half add of these two awaits the member")
        self._sender.tell(corp, add.userid, lambda agent_id: add.confirmed(corp, agent_id, at))
        return web.json_response({})

    async def delete(self, request: web.Request) -> web.Response:
        """`by` customer (the default) or staff."""
        body = await body_of(request)
        corp, at = corp_of(self._world, body), int(body.get("at") or time.time())
        told = events.part(corp, body["userid"], body["external_userid"], body.get("by", "customer"), at)
        if told is not None:
            self._sender.tell(corp, body["userid"], told)
        return web.json_response({"told": told is not None})

    async def edit(self, request: web.Request) -> web.Response:
        """The member edits the contact; with `bind` its unionid can be seen from now on."""
        body = await body_of(request)
        corp, at = corp_of(self._world, body), int(body.get("at") or time.time())
        if body.get("bind"):
            corp.people[body["external_userid"]].bound = True
        plain = events.event(corp, "edit_external_contact", body["userid"], body["external_userid"], at)
        self._sender.tell(corp, body["userid"], plain)
        return web.json_response({})

    async def consent(self, request: web.Request) -> web.Response:
        """The customer agrees to the chat archive; the event brings each app a welcome code of its own."""
        body = await body_of(request)
        corp, at = corp_of(self._world, body), int(body.get("at") or time.time())
        userid, external_userid = body["userid"], body["external_userid"]
        friendship = corp.friendships.get(userid, external_userid)
        if friendship is None:
            raise web.HTTPBadRequest(text="these two are no friends")
        friendship.awaits_consent = False
        codes = events.issue_codes(corp, userid, external_userid)

        def plain(agent_id: int) -> str:
            code = codes[agent_id]
            code.issued_at = time.time()
            return events.event(corp, "msg_audit_approved", userid, external_userid, at, WelcomeCode=code.code)

        self._sender.tell(corp, userid, plain)
        return web.json_response({"welcome_codes": {agent_id: one.code for agent_id, one in codes.items()}})

    async def transfer(self, request: web.Request) -> web.Response:
        """A customer goes from the member `userid` to the member `taker`, both in service."""
        body = await body_of(request)
        corp, at = corp_of(self._world, body), int(body.get("at") or time.time())
        giver, taker = str(body["userid"]), str(body["taker"])
        if taker not in corp.members or taker == giver:
            raise web.HTTPBadRequest(text="taker: expected another member")
        told = events.hand_over(corp, body["external_userid"], giver, taker, at)
        if told is None:
            raise web.HTTPBadRequest(text="external_userid: no friend of the giver's")
        for plain, userid in zip(told, (giver, taker), strict=False):
            self._sender.tell(corp, userid, plain)
        return web.json_response({"told": len(told)})

    async def event(self, request: web.Request) -> web.Response:
        """Any change_external_contact event as WeCom would word it; `fields` are what its kind carries besides.

        Only told: nothing happens in the sandbox's own world.
        """
        body = await body_of(request)
        corp, at = corp_of(self._world, body), int(body.get("at") or time.time())
        if body.get("change") not in events.CHANGES:
            raise web.HTTPBadRequest(text=f"change: expected one of {', '.join(events.CHANGES)}")
        fields = {str(name): str(value) for name, value in body.get("fields", {}).items()}
        plain = events.event(corp, body["change"], body["userid"], body["external_userid"], at, **fields)
        self._sender.tell(corp, body["userid"], plain)
        return web.json_response({})
