"""Attachments of welcome rules: checked as they come, shown as they are kept (WeCom's own field names)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from bihuan.engagement.v1 import welcome_service_pb2 as pb

from chassis import paging
from chassis.errors import Invalid, NotFound
from chassis.files import Files
from chassis.kernel.caller import Caller
from engagement.app.rules import check_count
from engagement.app.welcome_files import WELCOME_FILE, WELCOME_IMAGE


async def checked(files: Files, me: Caller, attachments: Sequence[pb.WelcomeAttachment]) -> list[dict[str, str]]:
    """Raises Invalid, also for a file that there is not, or that is for something else."""
    check_count(None, attachments)
    found = []
    for number, one in enumerate(attachments):
        field, kind = f"attachments[{number}]", one.WhichOneof("kind")
        if kind == "link":
            found.append({"msgtype": "link", **checked_link(one.link, f"{field}.link")})
        elif kind == "image":
            file_id = await _file(files, me, one.image.file_id, f"{field}.image.fileId", WELCOME_IMAGE.name)
            found.append({"msgtype": "image", "file_id": file_id})
        elif kind == "file":
            file_id = await _file(files, me, one.file.file_id, f"{field}.file.fileId", WELCOME_FILE.name)
            found.append({"msgtype": "file", "file_id": file_id})
        elif kind == "mini_program":
            found.append(await _mini_program(files, me, one.mini_program, f"{field}.miniProgram"))
        else:
            raise Invalid("ATTACHMENT_EMPTY", field=field, expected="link, image, file or miniProgram")
    return found


async def _mini_program(files: Files, me: Caller, one: pb.WelcomeMiniProgram, field: str) -> dict[str, str]:
    for value, name, most in ((one.title, "title", 64), (one.app_id, "appId", 64), (one.page, "page", 1024)):
        if not value.strip() or len(value.encode()) > most:
            raise Invalid("TEXT_LENGTH_WRONG", field=f"{field}.{name}", expected=f"1 to {most} bytes of UTF-8")
    file_id = await _file(files, me, one.picture_file_id, f"{field}.pictureFileId", WELCOME_IMAGE.name)
    return {"msgtype": "miniprogram", "title": one.title, "appid": one.app_id, "page": one.page, "file_id": file_id}


async def _file(files: Files, me: Caller, file_id: str, field: str, purpose: str) -> str:
    """The id of a whole file of this purpose that the caller may see."""
    wanted = paging.uuid(file_id, field)
    try:
        file, _ = await files.find(me, wanted)
    except NotFound:
        file = None
    if file is None or file.purpose != purpose:
        raise Invalid("FILE_NOT_FOUND", field=field, expected=f"the id of a file of purpose {purpose}")
    return wanted


def checked_link(link: pb.WelcomeLink, field: str) -> dict[str, str]:
    """WeCom's own field names. Raises Invalid."""
    for value, name, most in (
        (link.title, "title", 128),
        (link.description, "description", 512),
        (link.url, "url", 2048),
        (link.picture_url, "pictureUrl", 2048),
    ):
        if len(value.encode()) > most:
            raise Invalid("TEXT_LENGTH_WRONG", field=f"{field}.{name}", expected=f"at most {most} bytes of UTF-8")
    for value, name in ((link.url, "url"), (link.picture_url, "pictureUrl")):
        if (value or name == "url") and not _is_web_address(value):
            raise Invalid("URL_WRONG", field=f"{field}.{name}", expected="an http or https address")
    if not link.title.strip():
        raise Invalid("TEXT_LENGTH_WRONG", field=f"{field}.title", expected="1 to 128 bytes of UTF-8")
    kept = {"title": link.title, "url": link.url, "desc": link.description, "picurl": link.picture_url}
    return {key: value for key, value in kept.items() if value}


def _is_web_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:  # a host that cannot be one
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def shown_link(kept: dict[str, Any]) -> pb.WelcomeLink:
    return pb.WelcomeLink(
        title=kept["title"],
        url=kept["url"],
        description=kept.get("desc", ""),
        picture_url=kept.get("picurl", ""),
    )


def shown(column: str | None) -> Iterable[pb.WelcomeAttachment]:
    """`column`: as the table has them."""
    for one in json.loads(column) if column else ():
        match one["msgtype"]:
            case "link":
                yield pb.WelcomeAttachment(link=shown_link(one))
            case "image":
                yield pb.WelcomeAttachment(image=pb.WelcomeFile(file_id=one["file_id"]))
            case "file":
                yield pb.WelcomeAttachment(file=pb.WelcomeFile(file_id=one["file_id"]))
            case "miniprogram":
                yield pb.WelcomeAttachment(
                    mini_program=pb.WelcomeMiniProgram(
                        title=one["title"],
                        app_id=one["appid"],
                        page=one["page"],
                        picture_file_id=one["file_id"],
                    )
                )
