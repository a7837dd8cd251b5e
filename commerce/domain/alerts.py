"""Alert ids: a function of what caused the alert and who gets it."""

from __future__ import annotations

import hashlib

# Crockford's base32: no I, L, O, U, so that people can read an id out.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def alert_id(corp_id: str, mall_id: str, order_id: str, kind: str, userid: str) -> str:
    """16 characters, 80 bits."""
    digest = hashlib.sha256("\x00".join((corp_id, mall_id, order_id, kind, userid)).encode()).digest()
    number = int.from_bytes(digest[:10], "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(75, -1, -5))
