"""WeCom's contact ways (联系我)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from acquisition.app.live_codes import ContactWay
from chassis.wecom.client import WeComError, WeComs

MULTI, QR_CODE = 2, 2
GONE = 41044


class WeComContactWays:
    def __init__(self, wecoms: WeComs) -> None:
        self._wecoms = wecoms

    async def list_since(self, corp_id: str, since: datetime) -> Sequence[str]:
        client, found, cursor = self._wecoms.of(corp_id), [], ""
        while True:
            # A minute for clocks that differ.
            listed = await client.post(
                "externalcontact/list_contact_way",
                {"start_time": int(since.timestamp()) - 60, "limit": 1000, "cursor": cursor},
            )
            found += [entry["config_id"] for entry in listed.get("contact_way", [])]
            cursor = listed.get("next_cursor", "")
            if not cursor:
                return found

    async def read(self, corp_id: str, config_id: str) -> ContactWay | None:
        try:
            answer = await self._wecoms.of(corp_id).post("externalcontact/get_contact_way", {"config_id": config_id})
        except WeComError as error:
            if error.errcode == GONE:
                return None
            raise
        way = answer["contact_way"]
        return ContactWay(config_id, way.get("state", ""), way.get("qr_code", ""))

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
        return ContactWay(answer["config_id"], state, answer.get("qr_code", ""))

    async def update(self, corp_id: str, config_id: str, remark: str, userids: Sequence[str]) -> None:
        await self._wecoms.of(corp_id).post(
            "externalcontact/update_contact_way",
            {"config_id": config_id, "remark": remark, "user": list(userids)},
        )
