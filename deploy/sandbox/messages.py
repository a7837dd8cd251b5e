"""Welcomes (D:92599) and app messages."""

from __future__ import annotations

import time
from typing import Any

from deploy.sandbox.errors import WeComRefusal, check_fields
from deploy.sandbox.faults import Faults
from deploy.sandbox.world import WELCOME_SECONDS, AppMessage, Corp

ATTACHMENTS = {"image", "link", "miniprogram", "video", "file"}
MESSAGES_PER_MINUTE = 30
MESSAGES_PER_HOUR = 1000
TEXT_BYTES = 2048


class Welcomer:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def send(self, corp: Corp, body: dict[str, Any], _: int) -> dict[str, Any]:
        check_fields(body, {"welcome_code", "text", "attachments"})
        code = body.get("welcome_code")
        if not code:
            raise WeComRefusal(41049, "missing welcome code")
        welcome = corp.welcomes.get(str(code))
        if welcome is None or welcome.issued_at is None or time.time() > welcome.issued_at + WELCOME_SECONDS:
            raise WeComRefusal(41050, "invalid welcome code or code expired")
        _check_content(body)
        if welcome.sent:
            raise WeComRefusal(41051, "chat already started or welcome already sent")
        if self._faults.happens(self._faults.sending_elsewhere):
            raise WeComRefusal(41096, "another app is sending the welcome")
        welcome.sent = True
        return {}


async def send_app_message(corp: Corp, body: dict[str, Any], agent_id: int) -> dict[str, Any]:
    """Text only. What is over the per-member rate is dropped, and the answer still says ok."""
    allowed = {"touser", "toparty", "totag", "msgtype", "agentid", "text", "safe", "enable_id_trans",
               "enable_duplicate_check", "duplicate_check_interval"}  # fmt: skip
    check_fields(body, allowed)
    if "agentid" not in body:
        raise WeComRefusal(41011, "missing agentid")
    if body["agentid"] != agent_id:
        raise WeComRefusal(301002, "not allowed to operate this agent")
    if body.get("msgtype") != "text":
        raise WeComRefusal(40008, "invalid message type")
    content = (body.get("text") or {}).get("content")
    if not content:
        raise WeComRefusal(44004, "empty content")
    receivers = [one.lower() for one in str(body.get("touser", "")).split("|") if one]
    known = [one for one in receivers if one in corp.members]
    if not known:
        raise WeComRefusal(81013, "all receivers are invalid", invaliduser="|".join(receivers))
    now = time.time()
    for userid in known:
        recent = [m for m in corp.messages[userid] if m.at > now - 3600]
        if body.get("enable_duplicate_check") and any(
            m.content == content and m.at > now - body.get("duplicate_check_interval", 1800) and not m.dropped
            for m in recent
        ):
            continue
        last_minute = sum(1 for m in recent if m.at > now - 60)
        dropped = last_minute >= MESSAGES_PER_MINUTE or len(recent) >= MESSAGES_PER_HOUR
        shown = content.encode()[:TEXT_BYTES].decode(errors="ignore")
        corp.messages[userid].append(AppMessage(userid, shown, now, dropped))
    return {"invaliduser": "|".join(one for one in receivers if one not in known), "msgid": f"msg{int(now * 1e6)}"}


def _check_content(body: dict[str, Any]) -> None:
    text = (body.get("text") or {}).get("content", "")
    attachments = body.get("attachments", [])
    if not text and not attachments:
        raise WeComRefusal(44004, "empty content")
    if len(text.encode()) > 4000:
        raise WeComRefusal(45002, "content too long")
    if len(attachments) > 9:
        raise WeComRefusal(41064, "too many attachments")
    for attachment in attachments:
        kind = attachment.get("msgtype")
        if kind not in ATTACHMENTS or not isinstance(attachment.get(kind), dict):
            raise WeComRefusal(41065, "invalid attachment")
        if kind == "link":
            link = attachment["link"]
            check_fields(link, {"title", "picurl", "desc", "url"})
            if not link.get("title") or not link.get("url"):
                raise WeComRefusal(40063, "link without title or url")
            if len(link["title"].encode()) > 128 or len(link.get("desc", "").encode()) > 512:
                raise WeComRefusal(40058, "link field too long")
