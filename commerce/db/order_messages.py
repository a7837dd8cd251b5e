"""Messages that state an order's money, kept for as long as an earlier one may contradict them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.pool import Connection, Pool

Key = tuple[str, str, str]  # corp, mall, order
FORGET_AT_ONCE = 5000


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    key: Key
    fact_id: str
    rank: str
    currency: str
    type: str
    payload: bytes


async def keep(connection: Connection, messages: Iterable[Kept]) -> None:
    ordered = sorted(messages)
    if ordered:
        await connection.execute(
            """
            insert into order_messages (corp_id, mall_id, order_id, fact_id, rank, currency, type, payload)
            select * from unnest(
                $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[]
            )
            on conflict do nothing
            """,
            *zip(*(one.key for one in ordered), strict=True),
            [one.fact_id for one in ordered],
            [one.rank for one in ordered],
            [one.currency for one in ordered],
            [one.type for one in ordered],
            [one.payload for one in ordered],
        )


async def of_orders(connection: Connection, keys: Sequence[Key]) -> dict[Key, list[Kept]]:
    if not keys:
        return {}
    rows = await connection.fetch(
        """
        select *
        from order_messages
        where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        order by corp_id, mall_id, order_id, rank
        """,
        *zip(*keys, strict=True),
    )
    found: dict[Key, list[Kept]] = defaultdict(list)
    for row in rows:
        key = row["corp_id"], row["mall_id"], row["order_id"]
        found[key].append(Kept(key, row["fact_id"], row["rank"], row["currency"], row["type"], row["payload"]))
    return found


async def forget_old(pool: Pool, days: int) -> int:
    """Deletes some of those that are older; returns how many."""
    status = await pool.execute(
        """
        delete from order_messages
        where ctid = any(array(
            select ctid
            from order_messages
            where taken_at < now() - make_interval(days => $1)
            limit $2
        ))
        """,
        days,
        FORGET_AT_ONCE,
    )
    return int(status.split()[-1])
