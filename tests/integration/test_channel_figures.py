"""What channels brought: counted rightly, and in one pass over the adds however many channels there are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from acquisition.consumers import DURABLES
from acquisition.db import channels
from tests import facts as f
from tests.conftest import CORP, Room, received

Rooms = Callable[..., Any]
CHANNELS, ADDS = 200, 100_000


async def fill(room: Room) -> None:
    await room.pool.execute(
        """
        insert into channels (corp_id, channel_id, name)
        select $1, md5(n::text)::uuid, 'channel ' || n
        from generate_series(1, $2) n
        """,
        CORP,
        CHANNELS,
    )
    await room.pool.execute(
        """
        insert into touches (
            corp_id, touch_id, contact_id, sealed_contact, userid, channel_id, half, sealed_welcome_code, added_at,
            arrived_at, kind, version
        )
        select $1, n::text, md5('contact' || n % 80000)::uuid, '', 'anna', md5((n % $2 + 1)::text)::uuid, false, '',
            now(), now(), 'NEW', 1
        from generate_series(1, $3) n
        """,
        CORP,
        CHANNELS,
        ADDS,
    )
    await room.pool.execute("analyze")


async def test_no_part_of_the_plan_is_done_once_for_each_channel(rooms: Rooms) -> None:
    async with rooms("acquisition") as room:
        await fill(room)
        plan = await room.pool.fetch(f"explain (analyze, timing off) {channels.FIGURES}", CORP, None)
        loops = [int(found[1]) for (line,) in plan if (found := re.search(r"loops=(\d+)", line))]
        assert loops
        assert max(loops) <= 4  # workers of a parallel plan
        rows = await channels.figures(room.pool, CORP, None)
        assert len(rows) == CHANNELS
        assert sum(row["adds"] for row in rows) == ADDS
        assert sum(row["customers"] for row in rows) == 80_000


async def test_a_person_counts_for_the_channel_of_their_first_add(rooms: Rooms) -> None:
    """Two contacts of one person; as of before the second; and one whom identity has not placed."""
    async with rooms("acquisition") as room:
        adds = [f.added(1, "anna", 10), f.added(2, "anna", 5), f.added(3, "anna", 20), f.added(1, "bob", 30)]
        await room.take(DURABLES[0], [received(one, str(number)) for number, one in enumerate(adds)])
        await room.take(
            DURABLES[1],
            [received(f.assigned(1, [("external_userid", 1), ("external_userid", 2)], 1), "placed")],
        )
        (row,) = await channels.figures(room.pool, CORP, None)
        assert (row["customers"], row["adds"]) == (2, 4)
        (row,) = await channels.figures(room.pool, CORP, f.at(19))
        assert (row["customers"], row["adds"]) == (1, 2)
        (row,) = await channels.figures(room.pool, CORP, datetime(2020, 1, 1, tzinfo=UTC))
        assert (row["customers"], row["adds"]) == (0, 0)
        assert await channels.fallbacks(room.pool, CORP, None) == {"ABSENT": 4}
