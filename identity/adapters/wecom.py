"""Identity's WeCom APIs: contacts, the address book, sign-in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chassis.wecom.client import WeComError, WeComs
from identity.app.staff import Department, Member

ACTIVE = 1
MOST_PAGES = 20
NOBODY_THERE, NO_CONTACT = 60111, 84061


class WeComBook:
    def __init__(self, wecoms: WeComs) -> None:
        self._wecoms = wecoms

    async def read(self, corp_id: str, external_userid: str) -> dict[str, Any]:
        client, cursor = self._wecoms.of(corp_id), ""
        whole: dict[str, Any] = {"external_contact": None, "follow_user": []}
        # A page has 500 followers.
        for _ in range(MOST_PAGES):
            more = {"cursor": cursor} if cursor else {}
            answer = await client.get("externalcontact/get", 4.0, external_userid=external_userid, **more)
            whole["external_contact"] = whole["external_contact"] or answer.get("external_contact")
            whole["follow_user"] += answer.get("follow_user") or []
            cursor = str(answer.get("next_cursor") or "")
            if not cursor:
                break
        return whole

    async def followed(self, corp_id: str, userid: str) -> list[str]:
        try:
            answer = await self._wecoms.of(corp_id).get("externalcontact/list", 8.0, userid=userid)
        except WeComError as error:
            if error.errcode == NO_CONTACT:
                return []
            raise
        return [str(one) for one in answer.get("external_userid", [])]

    async def departments(self, corp_id: str) -> list[Department]:
        answer = await self._wecoms.of(corp_id).get("department/list", 10.0)
        return [
            Department(int(one["id"]), int(one.get("parentid") or 0) or None, str(one.get("name") or ""))
            for one in answer.get("department", [])
        ]

    async def members(self, corp_id: str, department_ids: Iterable[int]) -> list[Member]:
        client = self._wecoms.of(corp_id)
        members: dict[str, Member] = {}
        for department_id in department_ids:
            answer = await client.get("user/simplelist", 10.0, department_id=str(department_id))
            for user in answer.get("userlist", []):
                member = _member(user)
                members[member.userid] = member
        return list(members.values())

    async def member(self, corp_id: str, userid: str) -> Member | None:
        try:
            user = await self._wecoms.of(corp_id).get("user/get", 5.0, userid=userid)
        except WeComError as error:
            if error.errcode == NOBODY_THERE:
                return None
            raise
        return _member(user) if int(user.get("status", ACTIVE)) == ACTIVE else None

    async def who_signed_in(self, corp_id: str, code: str) -> str:
        """The member's userid; empty for an outsider. Raises WeComError, 40029 for a used or foreign code."""
        answer = await self._wecoms.of(corp_id).get("auth/getuserinfo", 5.0, code=code)
        return str(answer.get("userid", "")).lower()


def _member(user: dict[str, Any]) -> Member:
    # WeCom's userids ignore case: one spelling everywhere.
    userid = str(user["userid"]).lower()
    return Member(userid, str(user["name"]), tuple(int(one) for one in user.get("department", [])))
