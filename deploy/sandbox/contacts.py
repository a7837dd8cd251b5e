"""Contact ways and external contacts (D:96348, D:96311)."""

from __future__ import annotations

import secrets
import time
from typing import Any

from deploy.sandbox import qr_codes
from deploy.sandbox.errors import WeComRefusal, check_fields
from deploy.sandbox.people import ContactWay
from deploy.sandbox.world import App, Corp

WAY_FIELDS = {
    "type", "scene", "style", "remark", "skip_verify", "state", "user", "party", "is_temp", "expires_in",
    "chat_expires_in", "unionid", "is_exclusive", "mark_source", "conclusions",
}  # fmt: skip
UPDATE_FIELDS = {"config_id", "remark", "skip_verify", "style", "state", "user", "party", "is_exclusive", "mark_source"}
MOST_WAYS = 500_000
ACTIVE = 1


async def add_contact_way(corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
    check_fields(body, WAY_FIELDS)
    for name, missing, wrong in (("type", 41037, 41039), ("scene", 41038, 41040)):
        if name not in body:
            raise WeComRefusal(missing, f"missing {name}")
        if body[name] not in (1, 2):
            raise WeComRefusal(wrong, f"invalid {name}")
    users = body.get("user", [])
    if body["type"] == 1 and len(users) != 1:
        raise WeComRefusal(40032, "type 1 takes exactly one user")
    _check_way(corp, app, body)
    if len(corp.contact_ways) >= MOST_WAYS:
        raise WeComRefusal(41045, "contact way quota reached")
    way = ContactWay(secrets.token_hex(16), dict(body), time.time())
    corp.contact_ways[way.config_id] = way
    answer = {"config_id": way.config_id}
    return answer | ({"qr_code": qr_codes.address(corp, way)} if body["scene"] == 2 else {})


async def get_contact_way(corp: Corp, body: dict[str, Any], _: App) -> dict[str, Any]:
    way = _way(corp, body)
    return {"contact_way": {"config_id": way.config_id, "qr_code": qr_codes.address(corp, way), **way.body}}


async def list_contact_way(corp: Corp, body: dict[str, Any], _: App) -> dict[str, Any]:
    check_fields(body, {"start_time", "end_time", "cursor", "limit"})
    limit = int(body.get("limit", 100))
    if not 1 <= limit <= 1000:
        raise WeComRefusal(40035, "invalid limit")
    try:
        start = int(body.get("cursor") or 0)
    except ValueError:
        raise WeComRefusal(50100, "invalid cursor") from None
    since, until = body.get("start_time", 0), body.get("end_time", time.time() + 1)
    ways = [way for way in corp.contact_ways.values() if since <= way.created_at <= until]
    more = {"next_cursor": str(start + limit)} if start + limit < len(ways) else {}
    return {"contact_way": [{"config_id": way.config_id} for way in ways[start : start + limit]], **more}


async def update_contact_way(corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
    check_fields(body, UPDATE_FIELDS)
    way = _way(corp, body)
    _check_way(corp, app, {**way.body, **body})
    way.body.update({key: value for key, value in body.items() if key != "config_id"})
    return {}


async def del_contact_way(corp: Corp, body: dict[str, Any], _: App) -> dict[str, Any]:
    del corp.contact_ways[_way(corp, body).config_id]
    return {}


async def get_contact(corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
    check_fields(body, {"external_userid", "cursor"})
    person = corp.people.get(str(body.get("external_userid", "")))
    follows = corp.friendships.of_customer(person.external_userid) if person else []
    follows = [one for one in follows if app.sees(one.userid)]
    if person is None or not follows:
        raise WeComRefusal(40096 if person is None else 84061, "invalid external userid", follow_user=[])
    contact: dict[str, Any] = {
        "external_userid": person.external_userid,
        "name": person.name,
        "avatar": f"https://wx.qlogo.cn/sandbox/{person.external_userid}",
        "type": 1,
        "gender": 0,
    }
    if person.bound:
        contact["unionid"] = person.unionid
    return {
        "external_contact": contact,
        "follow_user": [
            {
                "userid": f.userid,
                "remark": person.name,
                "description": "",
                "createtime": f.created_at,
                "tags": [],
                "remark_mobiles": [],
                "add_way": f.add_way,
                **({"state": f.state} if f.state else {}),
            }
            for f in follows
        ],
    }


async def list_contacts(corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
    check_fields(body, {"userid"})
    userid = str(body.get("userid", "")).lower()
    if userid not in corp.members:
        raise WeComRefusal(40003, "invalid userid")
    if not app.sees(userid):
        raise WeComRefusal(60011, "no privilege to access/modify contact/party/agent", external_userid=[])
    if not corp.members[userid].has_contacts:
        raise WeComRefusal(84074, "no external contact permission", external_userid=[])
    found = [f.external_userid for f in corp.friendships.of_member(userid)]
    if not found:
        raise WeComRefusal(84061, "no external contact", external_userid=[])
    return {"external_userid": found}


def _way(corp: Corp, body: dict[str, Any]) -> ContactWay:
    if not body.get("config_id"):
        raise WeComRefusal(41043, "config_id missing")
    way = corp.contact_ways.get(str(body["config_id"]))
    if way is None:
        raise WeComRefusal(41044, "invalid config_id")
    return way


def _check_way(corp: Corp, app: App, body: dict[str, Any]) -> None:
    for name in ("remark", "state"):
        if len(str(body.get(name, ""))) > 30:
            raise WeComRefusal(40058, f"{name} too long")
    users = body.get("user", [])
    if len(users) > 100:
        raise WeComRefusal(41041, "too many users")
    members = [corp.members.get(str(userid).lower()) for userid in users]
    for one in members:
        if one is None:
            raise WeComRefusal(40003, "invalid userid")
        if not app.sees(one.userid):
            raise WeComRefusal(60011, "no privilege to access/modify contact/party/agent")
        if one.status != ACTIVE:
            raise WeComRefusal(41054, "member not activated")
        if not one.has_contacts:
            raise WeComRefusal(84074, "no external contact permission")
