"""The end of a STAFF subject: corp and recipient, so that one employee's history can be read back directly."""

from __future__ import annotations

import hashlib


def staff_suffix(corp_id: str, userid: str) -> str:
    """`.corp.hash`; a userid may hold characters that a subject may not."""
    return f".{corp_id}.{hashlib.sha256(userid.encode()).hexdigest()[:16]}"
