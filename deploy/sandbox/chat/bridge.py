"""What WeCom's client answers to the JS-SDK inside a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deploy.sandbox.tickets import Tickets
from deploy.sandbox.world import World


@dataclass(frozen=True)
class Seat:
    """Who sits at the client, and which chat is open; without one the page was opened from the workbench."""

    corp_id: str
    userid: str
    external_userid: str = ""


class Bridge:
    def __init__(self, world: World, tickets: Tickets, site: str) -> None:
        """`site`: the app's trusted domain."""
        self._world, self._tickets, self._site = world, tickets, site

    def invoke(self, seat: Seat, name: str, told: dict[str, Any], url: str, *, configured: bool) -> dict[str, Any]:
        """`configured`: agentConfig has succeeded in this page."""
        if name == "preVerifyJSAPI":
            signed = (told.get("verifyNonceStr"), told.get("verifyTimestamp"), url, told.get("verifySignature"))
            return self._verify(seat, name, told.get("verifyAppId"), 0, signed)
        if name == "agentConfig":
            agent_id = int(told["agentid"]) if str(told.get("agentid", "")).isdigit() else -1
            signed = (told.get("nonceStr"), told.get("timestamp"), url, told.get("signature"))
            return self._verify(seat, name, told.get("corpid"), agent_id, signed)
        if not configured:
            return {"err_msg": f"{name}:fail_no permission"}
        if name == "getContext":
            return {"err_msg": f"{name}:ok", "entry": "single_chat_tools" if seat.external_userid else "normal"}
        if name == "getCurExternalContact":
            if not seat.external_userid:
                return {"err_msg": f"{name}:fail_without context of external contact"}
            return {"err_msg": f"{name}:ok", "userId": seat.external_userid}
        return {"err_msg": f"{name}:fail_function not exist"}

    def _verify(
        self, seat: Seat, name: str, corp_id: object, agent_id: int, signed: tuple[object, ...]
    ) -> dict[str, Any]:
        corp = self._world.corps.get(seat.corp_id)
        if corp is None or corp_id != seat.corp_id or (agent_id and agent_id not in corp.apps):
            return {"err_msg": f"{name}:fail_invalid corpid or agentid"}
        nonce, timestamp, url, signature = (str(one or "") for one in signed)
        if not url.startswith(self._site + "/"):
            return {"err_msg": f"{name}:fail_80001 the domain is not trusted", "err_code": 80001}
        if not self._tickets.signed(seat.corp_id, agent_id, nonce, timestamp, url, signature):
            return {"err_msg": f"{name}:fail_invalid signature", "err_code": 40093}
        return {"err_msg": f"{name}:ok"}
