"""WeCom's contact ways (联系我)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from acquisition.app.live_codes import ContactWay
from chassis.wecom.client import WeComs

MULTI, QR_CODE = 2, 2


class WeComContactWays:
    def __init__(self, wecoms: WeComs) -> None:
        self._wecoms = wecoms

    async def find(self, corp_id: str, state: str, since: datetime) -> ContactWay | None:
        client = self._wecoms.of(corp_id)
        cursor = ""
        while True:
            listed = await client.post(
                "externalcontact/list_contact_way",
                {"start_time": int(since.timestamp()) - 60, "limit": 1000, "cursor": cursor},
            )
            for entry in listed.get("contact_way", []):
                answer = await client.post("externalcontact/get_contact_way", {"config_id": entry["config_id"]})
                way = answer["contact_way"]
                if way.get("state") == state:
                    return ContactWay(way["config_id"], way.get("qr_code", ""))
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
