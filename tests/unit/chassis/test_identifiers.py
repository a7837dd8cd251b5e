"""Outside names of people: one spelling, and an id that says inside what it is unique."""

from __future__ import annotations

import pytest

from chassis.kernel.identifiers import Identifiers, normalise


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("phone", "１３９ １２３４ ５６７８", "+8613912345678"),
        ("phone", "0086-139-1234-5678", "+8613912345678"),
        ("phone", "13800138000", None),
        ("phone", "139", None),
        ("unionid", "'null'", None),
        ("unionid", " oABC ", "oABC"),
        ("unionid", "000-000", None),
        ("unionid", "\x00x", None),
        ("external_userid", "aaaaaa", None),
        ("external_userid", "\ud800", None),
    ],
)
def test_one_spelling_and_nobody(kind: str, value: str, normal: str | None) -> None:
    assert normalise(kind, value) == normal


def test_the_usual_scope_keeps_the_ids_of_the_release_before(identifiers: Identifiers) -> None:
    assert identifiers.id_of("ww1", "unionid", "oABC") == "afd8ecb9-a201-7f7b-24b6-135dbe3fb456"
    assert identifiers.id_of("ww1", "unionid", "oABC", "") == "afd8ecb9-a201-7f7b-24b6-135dbe3fb456"


def test_a_scope_makes_another_name(identifiers: Identifiers) -> None:
    scopes = ["", "outlet", "outlet2", "wx0123"]
    named = [identifiers.name("ww1", "yz_open_id", "a1", scope) for scope in scopes]
    assert [name.scope for name in named if name] == scopes
    assert len({name.id for name in named if name}) == len(scopes)
