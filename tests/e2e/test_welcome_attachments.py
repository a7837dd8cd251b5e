"""A picture from the door to a new friend's chat, through a real upload."""

from __future__ import annotations

import time
from typing import Any

from deploy.local.client import Client
from deploy.local.suite import Suite
from tests.waiting import until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
FILES = "/api/v1/services/engagement/files?purpose=welcome-image&name=poster.png"


async def test_a_picture_reaches_the_new_friend(admin: Client, suite: Suite) -> None:
    began = time.time()
    headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "image/png"}
    async with admin.session.post(suite.gateway + FILES, data=PNG, headers=headers) as answer:
        assert answer.status == 200
        file_id = (await answer.json())["file"]["fileId"]
    channel_id, state = admin.codes.channels[2], admin.codes.states[2]  # type: ignore[attr-defined]
    body = {"channelId": channel_id, "text": "您好", "attachments": [{"image": {"fileId": file_id}}]}
    rule = (await admin.post("/api/v1/welcome-rules", body))["welcomeRule"]
    assert rule["attachments"] == [{"image": {"fileId": file_id}}]
    await admin.sandbox("/sandbox/scan", {"state": state, "userid": "guide_003", "person": "with a picture"})

    async def sent() -> list[Any]:
        calls = (await admin.ask_sandbox("/sandbox/calls", api="externalcontact/send_welcome_msg"))["calls"]
        return [call["body"]["attachments"] for call in calls if call["body"].get("text") == {"content": "您好"}]

    (attachments,) = await until(sent)
    assert attachments[0]["msgtype"] == "image"
    uploads = (await admin.ask_sandbox("/sandbox/calls", api="media/upload", since=str(began)))["calls"]
    (upload,) = uploads
    assert (upload["body"]["type"], upload["body"]["name"], upload["errcode"]) == ("image", "poster.png", 0)
    await admin.post(f"/api/v1/welcome-rules/{rule['welcomeRuleId']}:archive", {})
