"""Facts that only a later release reads: set aside, so that the durable goes on, and handled when that release runs.

Every replica looks through what others have set aside: all of it at its start, then what is new. What it reads it
handles; the rest stays for a release that does.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

from chassis import metrics
from chassis.dead_letters import fact_id
from chassis.errors import Invalid
from chassis.facts import TypeUnknown
from chassis.kept import Delivery, StoredFact, corp_of, position_of
from chassis.logs import log
from chassis.pool import Pool

PAGE = 256
# Where none could be set aside, the server offers a fact again after this.
AGAIN_SECONDS = 5.0
LOG_SECONDS = 60.0
# Rows become visible out of order, but not later than this: longer than the longest transaction.
UNSETTLED = timedelta(seconds=30)


@dataclass
class LaterFact(StoredFact):
    """One that was set aside. Acked ones are deleted with their page."""

    # False: others before it may not be visible yet.
    settled: bool = False


class LaterFacts:
    """Those of one durable."""

    def __init__(self, pool: Pool, durable: str) -> None:
        self._pool = pool
        self._durable = durable
        self._logged_at: dict[str, float] = {}
        # All rows up to this position were looked at by this process.
        self._seen = 0

    async def set_aside(self, unread: Sequence[tuple[Delivery, TypeUnknown]]) -> None:
        """Keeps and acks the messages; gives them back when they cannot be kept."""
        for _, error in unread:
            self._count(error.type_name)
        messages = [message for message, _ in unread]
        try:
            await self._insert(messages)
        except Exception as error:
            log.warning("later_facts_not_kept", durable=self._durable, facts=len(messages), error=repr(error))
            for message in messages:
                await message.nak(delay=AGAIN_SECONDS * (0.5 + random.random()))
            return
        for message in messages:
            await message.ack()

    async def handle(
        self,
        read: Callable[[Delivery], Any],
        take: Callable[[Sequence[Delivery]], Awaitable[None]],
        *,
        stopping: Callable[[], bool],
    ) -> int:
        """Gives `take` what `read` does not call unknown, and returns how many that were."""
        done, after = 0, self._seen
        while not stopping() and (page := await self._page(after)):
            mine = [one for one in page if _is_known(read, one)]
            if mine:
                await take(mine)
                await self._forget(mine)
                done += len(mine)
            after = page[-1].position
            self._seen = max([self._seen, *(one.position for one in takewhile(lambda one: one.settled, page))])
        return done

    async def _page(self, after: int) -> Sequence[LaterFact]:
        rows = await self._pool.fetch(
            """
            select fact_id as id, corp_id, position, subject, headers, payload as data,
                at < now() - $4::interval as settled
            from later_facts
            where durable = $1 and position > $2
            order by position
            limit $3
            """,
            self._durable,
            after,
            PAGE,
            UNSETTLED,
        )
        return [LaterFact(**{**row, "headers": json.loads(row["headers"])}) for row in rows]

    async def _forget(self, page: Sequence[LaterFact]) -> None:
        """Deletes those that were handled."""
        acked = sorted((one.corp_id, one.id) for one in page if one.is_acked)
        if acked:
            await self._pool.execute(
                """
                delete from later_facts
                where durable = $1 and (corp_id, fact_id) in (select * from unnest($2::text[], $3::text[]))
                """,
                self._durable,
                *zip(*acked, strict=True),
            )

    async def _insert(self, messages: Sequence[Delivery]) -> None:
        await self._pool.execute(
            """
            insert into later_facts (corp_id, durable, fact_id, subject, headers, payload)
            select corp_id, $1, fact_id, subject, headers, payload
            from unnest($2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bytea[])
                with ordinality as t(corp_id, fact_id, subject, headers, payload, n)
            order by n
            on conflict do nothing
            """,
            self._durable,
            [corp_of(one) for one in messages],
            [fact_id(one.headers or {}, position_of(one)) for one in messages],
            [one.subject for one in messages],
            [json.dumps(dict(one.headers or {})) for one in messages],
            [one.data for one in messages],
        )

    def _count(self, type_name: str) -> None:
        metrics.UNKNOWN_TYPES.labels(self._durable, type_name).inc()
        now = time.monotonic()
        if now >= self._logged_at.get(type_name, 0.0):
            self._logged_at[type_name] = now + LOG_SECONDS
            log.warning("fact_of_unknown_type", durable=self._durable, type=type_name)


async def waiting(pool: Pool, durables: Sequence[str]) -> frozenset[str]:
    """Those of the durables for which anything was set aside."""
    rows = await pool.fetch(
        """
        select durable
        from unnest($1::text[]) as t(durable)
        where exists (select 1 from later_facts l where l.durable = t.durable)
        """,
        durables,
    )
    return frozenset(row["durable"] for row in rows)


def _is_known(read: Callable[[Delivery], Any], message: Delivery) -> bool:
    try:
        read(message)
    except TypeUnknown:
        return False
    except Invalid:
        pass  # becomes a dead letter, like one from the stream
    return True
