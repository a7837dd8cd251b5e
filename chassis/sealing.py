"""Personal data at rest and in flight: AES-256-GCM with a key id in front, bound to the corp it belongs to.

Layout: 1 byte length of the key id, the key id, 12 bytes nonce, ciphertext and tag.
"""

from __future__ import annotations

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.errors import Invalid

NONCE_BYTES = 12


class Sealer:
    """Seals under the first key, opens under any. `keys` is `kid:base64,kid:base64`, 32 bytes each."""

    def __init__(self, keys: str) -> None:
        self._keys: dict[bytes, AESGCM] = {}
        for entry in keys.split(","):
            kid, _, encoded = entry.strip().partition(":")
            try:
                secret = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                secret = b""
            if not kid or len(kid.encode()) > 255 or len(secret) != 32:
                raise ValueError("data keys: expected kid:base64 of 32 bytes, separated by commas")
            self._keys[kid.encode()] = AESGCM(secret)
        self._current = next(iter(self._keys))

    def seal(self, corp_id: str, plain: str) -> bytes:
        return self.seal_bytes(corp_id, plain.encode())

    def seal_bytes(self, corp_id: str, plain: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._keys[self._current].encrypt(nonce, plain, corp_id.encode())
        return bytes([len(self._current)]) + self._current + nonce + sealed

    def open(self, corp_id: str, sealed: bytes) -> str:
        """Raises Invalid when the key is gone, the corp is another, or a bit was changed."""
        try:
            return self.open_bytes(corp_id, sealed).decode()
        except UnicodeDecodeError as error:
            raise Invalid("SEAL_BROKEN", "the value is no text") from error

    def open_bytes(self, corp_id: str, sealed: bytes) -> bytes:
        """Raises Invalid as `open` does."""
        head = 1 + (sealed[0] if sealed else 0)
        key = self._keys.get(sealed[1:head])
        if key is None:
            raise Invalid("SEALED_WITH_UNKNOWN_KEY", "no key opens this value")
        body = sealed[head:]
        try:
            return key.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], corp_id.encode())
        except (InvalidTag, ValueError) as error:
            raise Invalid("SEAL_BROKEN", "the value was changed or belongs to another corp") from error
