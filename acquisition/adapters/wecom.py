"""WeCom's contact ways (联系我)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from acquisition.app.live_codes import ContactWay
from chassis.wecom.client import WeCom, WeComError, WeComs

MULTI, QR_CODE = 2, 2
# The list names contact ways, and each must be read to learn its state.
READ_AT_ONCE = 5
GONE = 41044


class WeComContactWays:
    def __init__(self, wecoms: WeComs) -> None:
        self._wecoms = wecoms

    async def find(self, corp_id: str, state: str, since: datetime) -> ContactWay | None:
        """One call for every contact way made since: it may take longer than a lease, and is to be held meanwhile."""
        client = self._wecoms.of(corp_id)
        cursor = ""
        while True:
            listed = await client.post(
                "externalcontact/list_contact_way",
                {"start_time": int(since.timestamp()) - 60, "limit": 1000, "cursor": cursor},
            )
            entries = listed.get("contact_way", [])
            for first in range(0, len(entries), READ_AT_ONCE):
                reads = (_state_of(client, entry["config_id"]) for entry in entries[first : first + READ_AT_ONCE])
                for read, way in await asyncio.gather(*reads):
                    if read == state:
                        return way
            cursor = listed.get("next_cursor", "")
            if not cursor:
                return None

    async def make(self, corp_id: str, remark: str, state: str, userids: Sequence[str]) -> ContactWay:
        answer = await self._wecoms.of(corp_id).post(
            "externalcontact/add_contact_way",
            {
                "type": MULTI,
                "scene": QR_CODE,
                "remark": remark,
                "skip_verify": True,
                "state": state,
                "user": list(userids),
            },
        )
        return ContactWay(answer["config_id"], answer.get("qr_code", ""))


async def _state_of(client: WeCom, config_id: str) -> tuple[str | None, ContactWay]:
    """The state is None for one that was deleted since it was listed."""
    try:
        answer = await client.post("externalcontact/get_contact_way", {"config_id": config_id})
    except WeComError as error:
        if error.errcode == GONE:
            return None, ContactWay(config_id, "")
        raise
    way = answer["contact_way"]
    return way.get("state"), ContactWay(way["config_id"], way.get("qr_code", ""))
