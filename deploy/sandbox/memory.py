"""What the platform would not forget, kept in a file from one run to the next: who is whose friend, contact ways,
members, codes and messages. Tokens and sign-ins are asked for anew; what was on its way is not sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from deploy.sandbox.people import AppMessage, ContactWay, Friendship, Member, Person, Welcome
from deploy.sandbox.world import Corp, World

Key = TypeVar("Key")
One = TypeVar("One")


def save(world: World, path: Path) -> None:
    """Whole, or as it was before."""
    kept = {
        corp.corp_id: {
            "members": _rows(corp.members.values()),
            "contact_ways": _rows(corp.contact_ways.values()),
            "people": _rows(corp.people.values()),
            "friendships": _rows(corp.friendships),
            "welcomes": _rows(corp.welcomes.values()),
            "messages": _rows(message for inbox in corp.messages.values() for message in inbox),
        }
        for corp in world.corps.values()
    }
    making = path.with_name(path.name + ".making")
    making.write_text(json.dumps(kept, ensure_ascii=False))
    making.replace(path)


def recall(world: World, path: Path) -> None:
    """Into a world that was just made. A corp that is not in the corps file any more is left out."""
    if not path.exists():
        return
    for corp_id, rows in json.loads(path.read_text()).items():
        if corp_id in world.corps:
            _recall_corp(world.corps[corp_id], rows)


def _recall_corp(corp: Corp, rows: dict[str, list[dict[str, Any]]]) -> None:
    corp.members = _by(lambda one: one.userid, (Member(**row) for row in rows["members"]))
    corp.contact_ways = _by(lambda one: one.config_id, (ContactWay(**row) for row in rows["contact_ways"]))
    corp.people = _by(lambda one: one.external_userid, (Person(**row) for row in rows["people"]))
    corp.buyers = {shop_id: one.external_userid for one in corp.people.values() for shop_id in one.yz_open_ids}
    for row in rows["friendships"]:
        corp.friendships.add(Friendship(**row))
    corp.welcomes = _by(lambda one: one.code, (Welcome(**row) for row in rows["welcomes"]))
    for row in rows["messages"]:
        message = AppMessage(**row)
        corp.messages[message.userid].append(message)


def _rows(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [asdict(one) for one in values]


def _by(key: Callable[[One], Key], values: Iterable[One]) -> dict[Key, One]:
    return {key(one): one for one in values}
