"""Engagement's WeCom APIs: welcomes and app messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.wecom.client import Upload, WeComError, WeComs

ALL_REFUSED = 81013
DUPLICATE_CHECK_SECONDS = 1800


class WeComVoice:
    def __init__(self, wecoms: WeComs) -> None:
        self._wecoms = wecoms

    async def send(
        self,
        corp_id: str,
        welcome_code: str,
        text: str,
        attachments: Sequence[Mapping[str, Any]],
        seconds: float,
        agent_id: int = 0,
    ) -> None:
        """By the app that WeCom gave the code to; 0: the main one."""
        body: dict[str, Any] = {"welcome_code": welcome_code, "text": {"content": text}}
        if attachments:
            body["attachments"] = list(attachments)
        await self._wecoms.of(corp_id, agent_id).post("externalcontact/send_welcome_msg", body, seconds)

    async def upload(self, corp_id: str, kind: str, file: Upload, seconds: float) -> str:
        """All apps of the corp share what is uploaded."""
        answer = await self._wecoms.of(corp_id).upload("media/upload", file, seconds, type=kind)
        return str(answer["media_id"])

    async def send_text(self, corp_id: str, userid: str, content: str, seconds: float) -> None:
        client = self._wecoms.of(corp_id)
        answer = await client.post(
            "message/send",
            {
                "touser": userid,
                "msgtype": "text",
                "agentid": client.app.agent_id,
                "text": {"content": content},
                "enable_duplicate_check": 1,
                "duplicate_check_interval": DUPLICATE_CHECK_SECONDS,
            },
            seconds,
        )
        if answer.get("invaliduser") or answer.get("unlicenseduser"):
            raise WeComError("message/send", ALL_REFUSED, "the recipient was refused")
