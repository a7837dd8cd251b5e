"""What is used of WeCom's quotas by all replicas together, as they agreed (chassis.wecom.budget)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from chassis.wecom.budget import BUCKET, CALLS_PER_MINUTE


async def quotas_of(js: JetStreamContext, corp_id: str) -> list[dict[str, Any]]:
    """Per API that was ever called: api, used and limit of this minute, window_ends_at, closed_until. Empty while NATS
    is away."""
    beginning = f"$KV.{BUCKET}.{corp_id}."
    try:
        bucket = await js.key_value(BUCKET)
        subjects = (await js.stream_info(f"KV_{BUCKET}", subjects_filter=beginning + ">")).state.subjects or {}
        entries = [(subject, await bucket.get(subject.removeprefix(f"$KV.{BUCKET}."))) for subject in sorted(subjects)]
    except (NatsError, APIError, NotFoundError, TimeoutError):
        return []
    minute = int(time.time() // 60)
    return [
        _quota(subject.removeprefix(beginning), json.loads(entry.value or b"{}"), minute) for subject, entry in entries
    ]


def _quota(api: str, known: dict[str, Any], minute: int) -> dict[str, Any]:
    closed_until = known.get("closed_until", 0.0)
    return {
        "api": api.replace(".", "/"),
        "used": known.get("used", 0) if known.get("minute") == minute else 0,
        "limit": CALLS_PER_MINUTE,
        "window_ends_at": datetime.fromtimestamp((minute + 1) * 60, UTC),
        "closed_until": datetime.fromtimestamp(closed_until, UTC) if closed_until > time.time() else None,
    }
