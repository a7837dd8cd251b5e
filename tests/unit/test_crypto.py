"""Callback crypto beside an independent library, sealing, and what both refuse."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wechatpy.work.crypto import WeChatCrypto

from chassis.errors import Forbidden, Invalid, Unauthenticated
from chassis.sealing import Sealer
from chassis.wecom.crypto import CallbackCrypto

CORP = "ww00000000000000aa"
AES_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
ENCRYPTED = (
    "4j/AuRx71kQlxVlzbpsMWPZmA2UZnw8BYlXn7SxiTX94FlW98MAGcs0pY+p8GGbIXmrIEzk/kCIPaYYi697/"
    "B80okYiYASnsDeWG41MrnMB/uA8dxFM9EJBwZdV3TlbY"
)
SIGNATURE = "e0efff1a5ad71d3ac45db5dfa6a5814e643ace0d"


def ours(receiver: str = CORP) -> CallbackCrypto:
    return CallbackCrypto("sandboxToken01", AES_KEY, receiver)


def test_the_worked_example_of_the_reference() -> None:
    ours().verify(SIGNATURE, "1767225600", "nonce0001", ENCRYPTED)
    assert ours().decrypt(ENCRYPTED).decode() == "<xml><Event>示例</Event></xml>"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
def test_what_another_library_encrypts_we_open(text: str) -> None:
    envelope = WeChatCrypto("sandboxToken01", AES_KEY, CORP).encrypt_message(text, "n", "1")
    parts = dict(re.findall(r"<(Encrypt|MsgSignature)>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</\1>", envelope, re.DOTALL))
    ours().verify(parts["MsgSignature"], "1", "n", parts["Encrypt"])
    assert ours().decrypt(parts["Encrypt"]).decode() == text


@given(st.lists(st.binary(max_size=100), min_size=2, max_size=4))
def test_messages_do_not_touch_one_another(broken: list[bytes]) -> None:
    """One decryptor serves them all."""
    crypto = ours()
    for raw in broken:
        with pytest.raises((Invalid, Forbidden)):
            crypto.decrypt(base64.b64encode(raw).decode())
        assert crypto.decrypt(ENCRYPTED).decode() == "<xml><Event>示例</Event></xml>"


@given(st.binary(max_size=200))
def test_no_ciphertext_makes_it_stumble(raw: bytes) -> None:
    with pytest.raises((Invalid, Forbidden)):
        ours().decrypt(base64.b64encode(raw).decode())


def test_wrong_signature_and_foreign_receiver() -> None:
    with pytest.raises(Unauthenticated):
        ours().verify(SIGNATURE, "1767225601", "nonce0001", ENCRYPTED)
    with pytest.raises(Forbidden):
        ours("ww00000000000000bb").decrypt(ENCRYPTED)


KEYS = [base64.b64encode(bytes([n]) * 32).decode() for n in range(2)]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_sealed_values_open_for_their_corp_only(text: str) -> None:
    sealer = Sealer(f"a:{KEYS[0]}")
    sealed = sealer.seal(CORP, text)
    assert sealer.open(CORP, sealed) == text
    with pytest.raises(Invalid):
        sealer.open("another", sealed)
    with pytest.raises(Invalid):
        sealer.open(CORP, sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_a_new_key_seals_and_the_old_one_still_opens() -> None:
    old = Sealer(f"a:{KEYS[0]}").seal(CORP, "王芳")
    rotated = Sealer(f"b:{KEYS[1]},a:{KEYS[0]}")
    assert rotated.open(CORP, old) == "王芳"
    assert rotated.seal(CORP, "x")[1:2] == b"b"
    with pytest.raises(Invalid):
        Sealer(f"b:{KEYS[1]}").open(CORP, old)
