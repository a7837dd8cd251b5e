"""The relations we know beside WeCom's own lists: what an outage longer than WeCom's re-sends cost is seen here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from chassis.errors import Unavailable
from chassis.kernel.identifiers import Identifiers
from chassis.pool import Pool
from chassis.wecom.client import WeComAway, WeComError
from identity.db import relations, staff


class ContactLists(Protocol):
    async def followed(self, corp_id: str, userid: str) -> list[str]:
        """The external_userids in a member's list. Raises WeComError or WeComAway."""
        ...


@dataclass(frozen=True, slots=True)
class Gap:
    """One employee's two lists; `missing`: external_userids that only WeCom's has, `surplus`: how many only ours."""

    userid: str
    ours: int
    wecoms: int
    missing: Sequence[str] = ()
    surplus: int = 0
    # Not 0: WeCom's reason for not telling.
    errcode: int = 0


class RelationGaps:
    def __init__(self, pool: Pool, lists: ContactLists, identifiers: Identifiers) -> None:
        self._pool, self._lists, self._identifiers = pool, lists, identifiers

    async def page(self, corp_id: str, after: str, limit: int) -> list[Gap]:
        """The next `limit` active employees, with and without a difference. Raises Unavailable."""
        async with self._pool.acquire() as connection:
            userids = await staff.active_after(connection, corp_id, after, limit)
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._listed(corp_id, userid)) for userid in userids]
        except* (WeComError, WeComAway) as errors:
            raise Unavailable("WECOM_AWAY", str(errors.exceptions[0])) from errors
        theirs = [task.result() for task in asked]
        # Read after WeCom's lists: what was on its way meanwhile is then no gap.
        async with self._pool.acquire() as connection:
            ours = await relations.in_wecoms_list(connection, corp_id, userids)
        return [
            self._compare(corp_id, userid, ours.get(userid, set()), listed)
            for userid, listed in zip(userids, theirs, strict=True)
        ]

    async def _listed(self, corp_id: str, userid: str) -> Sequence[str] | int:
        """The list, or the errcode of one that WeCom refuses for good, such as that of a member who has just left."""
        try:
            return await self._lists.followed(corp_id, userid)
        except WeComError as error:
            if error.passing:
                raise
            return error.errcode

    def _compare(self, corp_id: str, userid: str, ours: set[str], listed: Sequence[str] | int) -> Gap:
        if isinstance(listed, int):
            return Gap(userid, len(ours), 0, errcode=listed)
        by_id = {}
        for value in listed:
            name = self._identifiers.name(corp_id, "external_userid", value)
            if name is not None:
                by_id[name.id] = value
        missing = sorted(value for one, value in by_id.items() if one not in ours)
        return Gap(userid, len(ours), len(by_id), missing, len(ours - set(by_id)))
