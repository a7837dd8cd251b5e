"""What may be handed to PostgreSQL as an array, and what is one value."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

Rooms = Callable[[str], Any]


async def test_collections_are_arrays_and_a_text_is_none(rooms: Rooms) -> None:
    async with rooms("identity") as room, room.pool.acquire() as connection:
        numbered = {"a": "b", "c": "d"}
        for given in (["b", "d"], ("b", "d"), deque("bd"), numbered.values()):
            assert await connection.fetchval("select $1::text[]", given) == ["b", "d"]
        for given in ({"a", "c"}, frozenset("ac"), numbered.keys()):
            assert sorted(await connection.fetchval("select $1::text[]", given)) == ["a", "c"]
        assert await connection.fetchval("select $1::text[]", [None, "", "a"]) == [None, "", "a"]
        assert await connection.fetchval("select $1::bytea[]", [b"", b"a"]) == [b"", b"a"]
        assert await connection.fetchval("select $1::bigint[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
        for given in ("bd", b"bd", numbered, 1):
            with pytest.raises(asyncpg.DataError):
                await connection.fetchval("select $1::text[]", given)
