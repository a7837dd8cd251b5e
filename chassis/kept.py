"""Facts of parked corps: kept beside the dead letters in their order of arrival, and given back after a release."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from nats.aio.msg import Msg

from chassis import metrics
from chassis.dead_letters import fact_id
from chassis.parking import still_parked
from chassis.pool import Pool

PAGE = 256
LEASE_SECONDS = 30.0
REASON = "PARKED"


class Delivery(Protocol):
    """A message to be handled, from a stream or out of what was kept."""

    @property
    def subject(self) -> str: ...
    @property
    def headers(self) -> Mapping[str, str] | None: ...
    @property
    def data(self) -> bytes: ...
    @property
    def is_acked(self) -> bool: ...
    async def ack(self) -> None: ...
    async def nak(self, delay: float | None = None) -> None: ...


@dataclass
class StoredFact:
    """A delivery out of a table of ours."""

    id: str
    corp_id: str
    position: int
    subject: str
    headers: Mapping[str, str]
    data: bytes
    is_acked: bool = False

    async def ack(self) -> None:
        self.is_acked = True

    async def nak(self, delay: float | None = None) -> None:
        """It stays where it is."""


class KeptFact(StoredFact):
    """One of a released corp. Acked ones are deleted with their page."""


def corp_of(message: Delivery) -> str:
    """Empty for a message that names no corp."""
    return (message.headers or {}).get("corp-id", "")


def position_of(message: Delivery) -> str:
    """What names a message without an id: its place in its stream."""
    if isinstance(message, Msg):
        return f"{message.metadata.stream}-{message.metadata.sequence.stream}"
    return message.id if isinstance(message, StoredFact) else ""


class KeptFacts:
    """Those of one durable."""

    def __init__(self, pool: Pool, durable: str) -> None:
        self._pool = pool
        self._durable = durable
        self._leases: dict[str, datetime] = {}

    async def keep(self, messages: Sequence[Delivery]) -> frozenset[str]:
        """Keeps and acks the messages of corps that are still parked, and returns those corps."""
        async with self._pool.acquire() as connection, connection.transaction():
            corp_ids = await still_parked(connection, self._durable, {corp_of(message) for message in messages})
            # What is kept already stays as it is.
            arrived = [one for one in messages if not one.is_acked and not isinstance(one, KeptFact)]
            mine = [one for one in arrived if corp_of(one) in corp_ids]
            await connection.execute(
                """
                insert into dead_letters (corp_id, durable, fact_id, subject, headers, payload, reason, detail, parked)
                select corp_id, $1, fact_id, subject, headers, payload, $2, '', true
                from unnest($3::text[], $4::text[], $5::text[], $6::jsonb[], $7::bytea[])
                    with ordinality as t(corp_id, fact_id, subject, headers, payload, n)
                order by n
                -- One that waits already stays where it is; one that was replayed waits anew, behind the others.
                on conflict (corp_id, durable, fact_id) do update
                set parked = true,
                    reason = excluded.reason,
                    detail = '',
                    at = now(),
                    replayed_at = null,
                    outcome = null,
                    position = excluded.position
                where dead_letters.replayed_at is not null
                """,
                self._durable,
                REASON,
                [corp_of(one) for one in mine],
                [fact_id(one.headers or {}, position_of(one)) for one in mine],
                [one.subject for one in mine],
                [json.dumps(dict(one.headers or {})) for one in mine],
                [one.data for one in mine],
            )
        for message in mine:
            await message.ack()
        metrics.PARKED_FACTS.labels(self._durable).inc(len(mine))
        return corp_ids

    async def page(self, corp_id: str, after: int) -> Sequence[KeptFact]:
        """The next kept facts of a released corp; none while another replica is at them."""
        lease = await self._pool.fetchval(
            """
            update parked
            set lease_until = now() + make_interval(secs => $4)
            where corp_id = $1
              and durable = $2
              and released_at is not null
              and (lease_until is null or lease_until < now() or lease_until = $3)
            returning lease_until
            """,
            corp_id,
            self._durable,
            self._leases.pop(corp_id, None),
            LEASE_SECONDS,
        )
        if lease is None:
            return ()
        self._leases[corp_id] = lease
        rows = await self._pool.fetch(
            """
            select fact_id, position, subject, headers, payload
            from dead_letters
            where corp_id = $1 and durable = $2 and parked and replayed_at is null and position > $3
            order by position
            limit $4
            """,
            corp_id,
            self._durable,
            after,
            PAGE,
        )
        return tuple(
            KeptFact(r["fact_id"], corp_id, r["position"], r["subject"], json.loads(r["headers"]), r["payload"])
            for r in rows
        )

    async def forget(self, page: Sequence[KeptFact]) -> None:
        """Deletes those that were handled."""
        await self._pool.execute(
            """
            delete from dead_letters
            where (corp_id, durable) = ($1, $2) and parked and position = any($3::bigint[])
            """,
            page[0].corp_id,
            self._durable,
            [one.position for one in page if one.is_acked],
        )

    async def let_go(self, corp_id: str) -> None:
        """Another replica may go on at once."""
        await self._pool.execute(
            """
            update parked
            set lease_until = null
            where corp_id = $1 and durable = $2 and lease_until = $3
            """,
            corp_id,
            self._durable,
            self._leases.pop(corp_id, None),
        )

    async def finish(self, corp_id: str) -> None:
        """Ends the release when nothing is kept any more; nothing is added to a corp that is released."""
        await self._pool.execute(
            """
            delete from parked p
            where p.corp_id = $1
              and p.durable = $2
              and p.released_at is not null
              and p.lease_until = $3
              and not exists (
                  select 1
                  from dead_letters d
                  where (d.corp_id, d.durable) = (p.corp_id, p.durable) and d.parked and d.replayed_at is null
              )
            """,
            corp_id,
            self._durable,
            self._leases.pop(corp_id, None),
        )
