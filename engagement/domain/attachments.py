"""What follows a welcome's text: as rules keep it, and as WeCom takes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The link among them.
MOST = 9


@dataclass(frozen=True, slots=True)
class Attached:
    # As send_welcome_msg takes them, in order.
    attachments: Sequence[Mapping[str, Any]] = ()
    # Those among them that WeCom has to know.
    media_ids: Sequence[str] = ()
    # How many were left out: WeCom does not have their files.
    left_out: int = 0
    # True where one of those may yet come.
    hoped_for: bool = False


def kind_of(attachment: Mapping[str, Any]) -> str:
    """As media/upload calls it: the picture of a mini program is an image."""
    return "file" if attachment["msgtype"] == "file" else "image"


def attached(link: Mapping[str, str] | None, kept: Iterable[Mapping[str, Any]], media: Mapping[Any, Any]) -> Attached:
    """`media`: (file id, kind) → what WeCom says of it: media_id and errcode, either of which may be None."""
    found: list[Mapping[str, Any]] = [{"msgtype": "link", "link": dict(link)}] if link else []
    media_ids, left_out, hoped_for = [], 0, False
    for one in kept:
        msgtype = one["msgtype"]
        content = {name: value for name, value in one.items() if name not in ("msgtype", "file_id")}
        if "file_id" in one:
            known = media.get((one["file_id"], kind_of(one)))
            if known is None or known["media_id"] is None:
                left_out += 1
                hoped_for = hoped_for or known is None or known["errcode"] is None
                continue
            media_ids.append(known["media_id"])
            content["pic_media_id" if msgtype == "miniprogram" else "media_id"] = known["media_id"]
        found.append({"msgtype": msgtype, msgtype: content})
    return Attached(found, media_ids, left_out, hoped_for)


def without_media(one: Attached) -> Attached:
    """What can be sent although WeCom does not know the media any more."""
    left = [item for item in one.attachments if item["msgtype"] == "link"]
    return Attached(left, (), one.left_out + len(one.attachments) - len(left))
