"""Temporary media (D:96484): uploaded once, known to all apps of the corp for three days."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from deploy.sandbox.errors import WeComRefusal, check_fields
from deploy.sandbox.faults import Faults
from deploy.sandbox.world import App, Corp

LEAST_BYTES = 5
MIB = 1024 * 1024
MOST_BYTES = {"image": 10 * MIB, "voice": 2 * MIB, "video": 10 * MIB, "file": 20 * MIB}
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


@dataclass
class Medium:
    kind: str
    name: str
    size: int
    uploaded_at: float


class MediaStore:
    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def upload(self, corp: Corp, body: dict[str, Any], app: App) -> dict[str, Any]:
        """`body`: the query, and of the form's part `media` its name and bytes."""
        content: bytes | None = body.pop("content", None)
        check_fields(body, {"type", "name", "debug"})
        kind = body.get("type")
        if kind not in MOST_BYTES:
            raise WeComRefusal(40005, "invalid type parameter")
        if content is None or not body.get("name"):
            raise WeComRefusal(41005, "media data missing")
        if not content:
            raise WeComRefusal(44001, "empty media data")
        if len(content) <= LEAST_BYTES:
            raise WeComRefusal(40006, "invalid media size")
        if len(content) > MOST_BYTES[kind]:
            raise WeComRefusal(45001, "media size out of limit")
        if kind == "image" and not content.startswith(PICTURES):
            raise WeComRefusal(40004, "invalid media type")
        if self._faults.happens(self._faults.media_refused):
            raise WeComRefusal(40004, "invalid media type")
        media_id, now = "3" + secrets.token_urlsafe(46), time.time()
        corp.media[media_id] = Medium(kind, body["name"], len(content), now)
        return {"type": kind, "media_id": media_id, "created_at": str(int(now))}

    def check(self, corp: Corp, media_id: Any, kind: str) -> None:
        """Raises the refusal of an API that is given an id which is none, no more one, or of another kind."""
        if not media_id:
            raise WeComRefusal(41006, "media_id missing")
        medium = corp.media.get(str(media_id))
        if medium is None or medium.kind != kind or time.time() > medium.uploaded_at + self._faults.media_seconds:
            raise WeComRefusal(40007, "invalid media_id")
        if self._faults.happens(self._faults.media_lost):
            del corp.media[str(media_id)]
            raise WeComRefusal(40007, "invalid media_id")
