"""Media of the sandbox by a foreign SDK: uploaded once, attached to welcomes, gone when WeCom says so."""

from __future__ import annotations

import io
from typing import Any

import pytest
from wechatpy.work import WeChatClient

from tests.contract.sandbox.conftest import Platform, sdk_of
from tests.contract.sandbox.test_wecom import errcode

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100


@pytest.fixture
def sdk(platform: Platform) -> WeChatClient:
    return sdk_of(platform)


def upload(sdk: WeChatClient, kind: str, content: bytes, name: str = "海报.png") -> dict[str, Any]:
    answer: dict[str, Any] = sdk.post(
        "media/upload", params={"type": kind}, files={"media": (name, io.BytesIO(content))}
    )
    return answer


async def welcome(platform: Platform, person: str, *attachments: dict[str, Any]) -> dict[str, Any]:
    friend = await platform.control("/sandbox/scan", {"userid": "guide_001", "person": person})
    return {"welcome_code": friend["welcome_code"], "text": {"content": "hi"}, "attachments": list(attachments)}


async def test_what_is_uploaded_is_attached(platform: Platform, sdk: WeChatClient) -> None:
    picture, file = upload(sdk, "image", PNG), upload(sdk, "file", b"%PDF-1.7", "价目表.pdf")
    assert (picture["type"], type(picture["created_at"])) == ("image", str)
    body = await welcome(
        platform,
        "media",
        {"msgtype": "link", "link": {"title": "t", "url": "https://example.com"}},
        {"msgtype": "image", "image": {"media_id": picture["media_id"]}},
        {"msgtype": "file", "file": {"media_id": file["media_id"]}},
        {
            "msgtype": "miniprogram",
            "miniprogram": {"title": "商城", "appid": "wx1", "page": "p", "pic_media_id": picture["media_id"]},
        },
    )
    assert sdk.post("externalcontact/send_welcome_msg", data=body)["errcode"] == 0


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("picture", PNG, 40005),
        ("image", b"", 44001),
        ("image", b"12345", 40006),
        ("image", b"GIF89a and more", 40004),
        ("image", PNG + bytes(10 * 1024 * 1024), 45001),
    ],
)
async def test_what_is_no_such_medium_is_refused(
    platform: Platform, sdk: WeChatClient, kind: str, content: bytes, code: int
) -> None:
    assert await errcode(upload, sdk, kind, content) == code


async def test_media_end(platform: Platform, sdk: WeChatClient) -> None:
    media_id = upload(sdk, "image", PNG)["media_id"]
    picture = {"msgtype": "image", "image": {"media_id": media_id}}
    body = await welcome(platform, "media that ended", picture)
    for wrong in (
        {"msgtype": "file", "file": {"media_id": media_id}},
        {"msgtype": "image", "image": {"media_id": "x"}},
    ):
        other = {**body, "attachments": [wrong]}
        assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data=other) == 40007
    await platform.faults(media_lost=1)
    assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data=body) == 40007
    await platform.faults(media_lost=0)
    assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data=body) == 40007, "it stays unknown"
    await platform.faults(media_refused=1)
    assert await errcode(upload, sdk, "image", PNG) == 40004
    await platform.faults(media_refused=0, media_seconds=0)
    picture = {"msgtype": "image", "image": {"media_id": upload(sdk, "image", PNG)["media_id"]}}
    assert await errcode(sdk.post, "externalcontact/send_welcome_msg", data={**body, "attachments": [picture]}) == 40007
