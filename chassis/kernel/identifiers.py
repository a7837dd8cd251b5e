"""Outside names of people become ids: a keyed hash of corp, kind, scope and normalised value.

Values that stand for nobody (placeholders, hotlines, keyboard runs) name no person and yield no identifier.
"""

from __future__ import annotations

import base64
import hmac
import re
import unicodedata
from dataclasses import dataclass

from uuid_utils import UUID

from chassis.sealing import Sealer

NOBODY = frozenset(
    (
        *("null", "none", "nan", "undefined", "unknown", "test", "anonymous", "guest", "id", "true", "false"),
        *("0", "-1", "not_authenticated", "[object object]"),
        *("13800138000", "13800000000", "13333333333", "12345678901"),
    )
)
PHONE = re.compile(r"^(?:\+?86|0086)?(1[3-9]\d{9})$")


def normalise(kind: str, value: str) -> str | None:
    """The one spelling of a value, or None when it names nobody.

    Full-width characters become ASCII, quotes and spaces around fall away; phones become E.164.
    """
    text = unicodedata.normalize("NFKC", value).strip().strip("\"'").strip()
    if not text or not text.isprintable() or len(text) > 256 or text.lower() in NOBODY or not text.strip("0-"):
        return None
    if kind == "phone":
        digits = re.sub(r"[\s\-()]", "", text)
        match = PHONE.match(digits)
        if match is None or len(set(match[1][1:])) == 1 or match[1] in NOBODY:
            return None
        return "+86" + match[1]
    if len(text) > 3 and len(set(text)) == 1:
        return None
    return text


@dataclass(frozen=True, slots=True)
class Name:
    """One outside name, ready to be put into a fact."""

    kind: str
    id: str
    sealed: bytes
    scope: str = ""


class Identifiers:
    """Makes identifier ids. `index_key` is base64 of 32 bytes; losing it loses every join."""

    def __init__(self, index_key: str, sealer: Sealer) -> None:
        self._key = base64.b64decode(index_key, validate=True)
        if len(self._key) != 32:
            raise ValueError("index key: expected base64 of 32 bytes")
        self._sealer = sealer

    def id_of(self, corp_id: str, kind: str, normalised: str, scope: str = "") -> str:
        """`scope`: inside what the value is unique (chassis.kernel.corps); empty, the corp's usual one.

        The usual scope leaves no trace in the hash: ids made before there were scopes stay what they are.
        """
        message = "\x00".join((corp_id, f"{kind}@{scope}" if scope else kind, normalised)).encode()
        return str(UUID(bytes=hmac.digest(self._key, message, "sha256")[:16]))

    def name(self, corp_id: str, kind: str, value: str, scope: str = "") -> Name | None:
        """None when the value names nobody."""
        normalised = normalise(kind, value)
        if normalised is None:
            return None
        identity = self.id_of(corp_id, kind, normalised, scope)
        return Name(kind, identity, self._sealer.seal(corp_id, normalised), scope)
