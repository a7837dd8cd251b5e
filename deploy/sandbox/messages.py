"""Welcomes (D:92599) and app messages."""

from __future__ import annotations

import time
from typing import Any

from deploy.sandbox.errors import WeComRefusal, check_fields
from deploy.sandbox.faults import Faults
from deploy.sandbox.media import MediaStore
from deploy.sandbox.people import AppMessage, Welcome
from deploy.sandbox.world import WELCOME_SECONDS, App, Corp

ATTACHMENTS = {
    "image": {"media_id", "pic_url"},
    "link": {"title", "picurl", "desc", "url"},
    "miniprogram": {"title", "pic_media_id", "appid", "page"},
    "video": {"media_id"},
    "file": {"media_id"},
}
MESSAGES_PER_MINUTE = 30
MESSAGES_PER_HOUR = 1000
TEXT_BYTES = 2048
ACTIVE = 1


class Welcomer:
    def __init__(self, faults: Faults) -> None:
        self._faults, self._media = faults, MediaStore(faults)

    async def send(self, corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
        """Each app may use its own code only; the first that gets through has welcomed, for all of them."""
        check_fields(body, {"welcome_code", "text", "attachments"})
        code = body.get("welcome_code")
        if not code:
            raise WeComRefusal(41049, "missing welcome code")
        welcome = corp.welcomes.get(str(code))
        if (
            welcome is None
            or welcome.agent_id not in (0, app.agent_id)
            or welcome.issued_at is None
            or time.time() > welcome.issued_at + WELCOME_SECONDS
        ):
            raise WeComRefusal(41050, "invalid welcome code or code expired")
        self._check_content(corp, body)
        friendship = corp.friendships.get(welcome.userid, welcome.external_userid)
        if friendship is not None and friendship.awaits_consent:
            raise WeComRefusal(41053, "the customer has not agreed to the chat archive")
        if welcome.sent:
            raise WeComRefusal(41051, "chat already started or welcome already sent")
        if self._faults.happens(self._faults.sending_elsewhere):
            if self._faults.happens(self._faults.rival_wins):
                _welcomed(corp, welcome)
            raise WeComRefusal(41096, "another app is sending the welcome")
        _welcomed(corp, welcome)
        return {}

    def _check_content(self, corp: Corp, body: dict[str, Any]) -> None:
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
            self._check_attachment(corp, kind, attachment[kind])

    def _check_attachment(self, corp: Corp, kind: str, content: dict[str, Any]) -> None:
        check_fields(content, ATTACHMENTS[kind])
        if kind == "link":
            if not content.get("title") or not content.get("url"):
                raise WeComRefusal(40063, "link without title or url")
            if len(content["title"].encode()) > 128 or len(content.get("desc", "").encode()) > 512:
                raise WeComRefusal(40058, "link field too long")
        elif kind == "miniprogram":
            if not all(content.get(name) for name in ("title", "appid", "page")):
                raise WeComRefusal(40063, "mini program without title, appid or page")
            if len(content["title"].encode()) > 64:
                raise WeComRefusal(40058, "mini program title too long")
            self._media.check(corp, content.get("pic_media_id"), "image")
        elif kind != "image" or "pic_url" not in content or "media_id" in content:
            self._media.check(corp, content.get("media_id"), kind)


def _welcomed(corp: Corp, welcome: Welcome) -> None:
    for code in (welcome.code, *welcome.rivals):
        corp.welcomes[code].sent = True


class Messenger:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def send(self, corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
        """Text only. What is over the per-member rate is dropped, and the answer still says ok."""
        allowed = {"touser", "toparty", "totag", "msgtype", "agentid", "text", "safe", "enable_id_trans",
                   "enable_duplicate_check", "duplicate_check_interval"}  # fmt: skip
        check_fields(body, allowed)
        if "agentid" not in body:
            raise WeComRefusal(41011, "missing agentid")
        if body["agentid"] != app.agent_id:
            raise WeComRefusal(301002, "not allowed to operate this agent")
        if body.get("msgtype") != "text":
            raise WeComRefusal(40008, "invalid message type")
        content = (body.get("text") or {}).get("content")
        if not content:
            raise WeComRefusal(44004, "empty content")
        receivers = [one.lower() for one in str(body.get("touser", "")).split("|") if one]
        found = {one: self._member(corp, app, one) for one in receivers}
        if not any(found.values()):
            raise WeComRefusal(81013, "all receivers are invalid", invaliduser="|".join(receivers))
        now = time.time()
        for userid in filter(None, found.values()):
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
        refused = [one for one, member in found.items() if member is None]
        return {"invaliduser": "|".join(refused), "msgid": f"msg{int(now * 1e6)}"}

    def _member(self, corp: Corp, app: App, userid: str) -> str | None:
        """The userid that takes the message. A former userid does so for a while."""
        present, renamed_at = corp.former.get(userid, (userid, time.time()))
        if time.time() - renamed_at > self._faults.former_userid_seconds:
            return None
        member = corp.members.get(present)
        return present if member is not None and member.status == ACTIVE and app.sees(present) else None
