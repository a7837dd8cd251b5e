"""WeCom's callback envelope: SHA-1 signature, AES-256-CBC with 32-byte blocks, length-prefixed plaintext."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from chassis.errors import Forbidden, Invalid, Unauthenticated

BLOCK = 32
HEAD = 20  # 16 random bytes, then the length of the message


class CallbackCrypto:
    """One app's callback secrets. Raises ValueError for an EncodingAESKey that is not 43 characters of 32 bytes."""

    def __init__(self, token: str, encoding_aes_key: str, receive_id: str) -> None:
        self._token = token
        # The 43rd character carries two spare bits that need not be zero: decode leniently.
        key = base64.b64decode(encoding_aes_key + "=")
        if len(key) != 32:
            raise ValueError("EncodingAESKey: expected 43 characters of base64")
        # One for all messages: what CBC carries over from the last one, as the IV would, changes only the first block,
        # and WeCom fills that with random bytes that nobody reads. Making one costs ten times a decryption.
        self._decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).decryptor()
        self._receive_id = receive_id.encode()

    def verify(self, signature: str, timestamp: str, nonce: str, encrypted: str) -> None:
        """Raises Unauthenticated when the signature is not ours."""
        parts = sorted((self._token, timestamp, nonce, encrypted))
        expected = hashlib.sha1("".join(parts).encode()).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Unauthenticated("SIGNATURE_WRONG", "msg_signature does not match", field="msg_signature")

    def decrypt(self, encrypted: str) -> bytes:
        """The message inside. Raises Invalid for a broken ciphertext and Forbidden for another receiver's."""
        try:
            cipher = binascii.a2b_base64(encrypted, strict_mode=True)
        except ValueError as error:
            raise Invalid("CIPHERTEXT_NOT_BASE64", field="Encrypt", expected="base64") from error
        if not cipher or len(cipher) % 16:
            raise Invalid("CIPHERTEXT_TRUNCATED", field="Encrypt", expected="whole AES blocks")
        plain = self._decryptor.update(cipher)
        pad = plain[-1]
        if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
            raise Invalid("PADDING_WRONG", field="Encrypt", expected="PKCS#7 to 32 bytes")
        body = plain[:-pad]
        if len(body) < HEAD:
            raise Invalid("PLAINTEXT_TRUNCATED", field="Encrypt")
        (length,) = struct.unpack(">I", body[16:HEAD])
        if HEAD + length > len(body):
            raise Invalid("MESSAGE_LENGTH_WRONG", field="Encrypt")
        if not hmac.compare_digest(body[HEAD + length :], self._receive_id):
            raise Forbidden("RECEIVER_WRONG", "the message is for another receiver", field="receiveid")
        return body[HEAD : HEAD + length]
