"""Identity's WeCom APIs: contacts, the address book, sign-in."""

from __future__ import annotations

from typing import Any

from chassis.wecom.client import WeComs
from identity.app.staff import Member


class WeComBook:
    def __init__(self, wecoms: WeComs) -> None:
        self._wecoms = wecoms

    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        answer = await self._wecoms.of(corp_id).get("externalcontact/get", 4.0, external_userid=external_userid)
        contact: dict[str, Any] = answer["external_contact"]
        return contact

    async def members(self, corp_id: str) -> list[Member]:
        client = self._wecoms.of(corp_id)
        departments = (await client.get("department/list", 10.0)).get("department", [])
        members: dict[str, Member] = {}
        for department in departments:
            answer = await client.get("user/simplelist", 10.0, department_id=str(department["id"]))
            for user in answer.get("userlist", []):
                # WeCom's userids ignore case: one spelling everywhere.
                userid = str(user["userid"]).lower()
                members[userid] = Member(userid, str(user["name"]), tuple(int(d) for d in user.get("department", [])))
        return list(members.values())

    async def who_signed_in(self, corp_id: str, code: str) -> str:
        """The member's userid; empty for an outsider. Raises WeComError, 40029 for a used or foreign code."""
        answer = await self._wecoms.of(corp_id).get("auth/getuserinfo", 5.0, code=code)
        return str(answer.get("userid", "")).lower()
