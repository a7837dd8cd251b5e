"""Members, departments and sign-in, as far as the calling app may see them."""

from __future__ import annotations

import time
from typing import Any

from deploy.sandbox.errors import WeComRefusal
from deploy.sandbox.world import App, Corp

Answer = dict[str, Any]


async def departments(corp: Corp, body: dict[str, Any], _: App) -> Answer:
    return {"department": corp.departments}


async def members_of(corp: Corp, body: dict[str, Any], app: App) -> Answer:
    """user/simplelist: everybody in the department, whatever their status, which it does not tell."""
    try:
        department = int(body["department_id"])
    except (KeyError, ValueError):
        raise WeComRefusal(60003, "department not found") from None
    if department not in {one["id"] for one in corp.departments}:
        raise WeComRefusal(60003, "department not found")
    return {
        "userlist": [
            {"userid": m.userid, "name": m.name, "department": m.departments}
            for m in corp.members.values()
            if department in m.departments and app.sees(m.userid)
        ]
    }


async def member_ids(corp: Corp, body: dict[str, Any], app: App) -> Answer:
    """user/list_id: every membership, page by page."""
    limit = int(body.get("limit", 10_000))
    if not 1 <= limit <= 10_000:
        raise WeComRefusal(40035, "invalid limit")
    try:
        start = int(body.get("cursor") or 0)
    except ValueError:
        raise WeComRefusal(50100, "invalid cursor") from None
    rows = [
        {"userid": m.userid, "department": department}
        for m in corp.members.values()
        if app.sees(m.userid)
        for department in m.departments
    ]
    more = {"next_cursor": str(start + limit)} if start + limit < len(rows) else {"next_cursor": ""}
    return {"dept_user": rows[start : start + limit], **more}


async def member(corp: Corp, body: dict[str, Any], app: App) -> Answer:
    found = corp.members.get(str(body.get("userid", "")).lower())
    if found is None:
        raise WeComRefusal(60111, "userid not found")
    if not app.sees(found.userid):
        raise WeComRefusal(60011, "no privilege to access/modify contact/party/agent")
    return {
        "userid": found.userid,
        "name": found.name,
        "department": found.departments,
        "main_department": found.departments[0],
        "status": found.status,
    }


async def members_with_contacts(corp: Corp, body: dict[str, Any], app: App) -> Answer:
    """externalcontact/get_follow_user_list."""
    return {"follow_user": [m.userid for m in corp.members.values() if m.has_contacts and app.sees(m.userid)]}


async def who_signed_in(corp: Corp, body: dict[str, Any], _: App) -> Answer:
    userid, until = corp.sign_ins.pop(str(body.get("code", "")), ("", 0.0))
    if until < time.time():
        raise WeComRefusal(40029, "invalid code")
    return {"userid": userid}
