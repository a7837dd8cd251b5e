"""What externalcontact/get says of a contact, read leniently: WeCom's types vary, and fields may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Tag:
    """`tag_id` is empty for a tag of the member's own; `type` is 1 corp, 2 member, 3 rule group."""

    tag_id: str
    group_name: str
    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Follow:
    """What one member has noted about the contact. `added_at` is None where WeCom does not say."""

    userid: str
    added_at: datetime | None
    remark: str
    description: str
    remark_corp_name: str
    remark_mobiles: tuple[str, ...]
    tags: tuple[Tag, ...]
    add_way: int
    state: str


@dataclass(frozen=True, slots=True)
class Contact:
    """`type` is 1 for a WeChat user, 2 for a WeCom user of another company. Texts are in the clear: never log them."""

    name: str
    type: int
    gender: int
    avatar_url: str
    corp_name: str
    position: str
    unionid: str
    follows: tuple[Follow, ...]

    @property
    def first_followed(self) -> datetime | None:
        """When the eldest of the present follows began."""
        return min((follow.added_at for follow in self.follows if follow.added_at is not None), default=None)


def read(answer: Mapping[str, Any]) -> Contact:
    """Of a whole answer, all pages in one. Raises ValueError that says what is missing."""
    said = answer.get("external_contact")
    if not isinstance(said, Mapping) or not isinstance(said.get("name"), str):
        raise ValueError("no name in the answer")
    return Contact(
        name=said["name"],
        type=_whole(said.get("type")),
        gender=_whole(said.get("gender")),
        avatar_url=_text(said.get("avatar")),
        corp_name=_text(said.get("corp_name")),
        position=_text(said.get("position")),
        unionid=_text(said.get("unionid")),
        follows=tuple(_follow(one) for one in _listed(answer.get("follow_user")) if _text(one.get("userid"))),
    )


def _follow(said: Mapping[str, Any]) -> Follow:
    created = _whole(said.get("createtime"))
    return Follow(
        # WeCom's userids ignore case: one spelling everywhere.
        userid=_text(said.get("userid")).lower(),
        added_at=datetime.fromtimestamp(created, UTC) if 0 < created < 2**33 else None,
        remark=_text(said.get("remark")),
        description=_text(said.get("description")),
        remark_corp_name=_text(said.get("remark_corp_name")),
        remark_mobiles=tuple(one for one in said.get("remark_mobiles") or () if isinstance(one, str) and one),
        tags=tuple(_tag(one) for one in _listed(said.get("tags"))),
        add_way=_whole(said.get("add_way")),
        state=_text(said.get("state")),
    )


def _tag(said: Mapping[str, Any]) -> Tag:
    return Tag(
        tag_id=_text(said.get("tag_id")),
        group_name=_text(said.get("group_name")),
        name=_text(said.get("tag_name")),
        type=_whole(said.get("type")),
    )


def _listed(said: Any) -> Sequence[Mapping[str, Any]]:
    return [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []


def _text(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _whole(said: Any) -> int:
    """0 for what is no whole number of 31 bits."""
    try:
        value = int(said)
    except (TypeError, ValueError):
        return 0
    return value if 0 <= value < 2**31 else 0
