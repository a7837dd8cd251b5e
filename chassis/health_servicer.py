"""How this service is, told to those who look after it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError

from chassis import dead_letters
from chassis.consumer import Consumer
from chassis.errors import Unavailable
from chassis.kernel.caller import caller
from chassis.last_seen import LastSeen
from chassis.outbox_rows import oldest
from chassis.pool import Pool
from chassis.wecom.quotas import quotas_of

MOST_COUNTED = 10_000


class HealthServicer:
    """`pb` is the module of bihuan.operations.v1's health messages, which the chassis does not know. `sources` names
    those of a corp whose messages this service takes (chassis.last_seen); `quotas`: it tells WeCom's quotas."""

    def __init__(
        self,
        pool: Pool,
        js: JetStreamContext,
        consumers: Sequence[Consumer],
        pb: Any,
        *,
        sources: Callable[[str], Iterable[str]] = lambda corp_id: (),
        quotas: bool = False,
    ) -> None:
        self._pool, self._js, self._consumers, self._pb = pool, js, consumers, pb
        self._sources, self._quotas = sources, quotas
        self._last_seen = LastSeen(js)

    async def GetHealth(self, request: Any, context: Any) -> Any:
        corp_id = caller().corp_id
        sources = sorted(self._sources(corp_id))
        try:
            seen, bus_away = await self._last_seen.of(corp_id, sources), False
        except Unavailable:
            seen, bus_away = dict.fromkeys(sources), True
        quotas = await quotas_of(self._js, corp_id) if self._quotas else []
        async with self._pool.acquire() as connection:
            counts = await dead_letters.counts(connection, corp_id, MOST_COUNTED)
            waits_since = await oldest(connection)
        health = self._pb.GetHealthResponse(
            durables=[await self._durable(one, corp_id) for one in self._consumers],
            open_dead_letters=counts["letters"],
            parked_facts=counts["parked"],
            quotas=[self._pb.QuotaHealth(**quota) for quota in quotas],
            sources=[self._pb.SourceHealth(source=source, last_seen_at=at) for source, at in seen.items()],
            bus_away=bus_away,
        )
        if waits_since is not None:
            health.outbox_age.FromTimedelta(max(waits_since, timedelta()))
        return health

    async def _durable(self, consumer: Consumer, corp_id: str) -> Any:
        name, broken = consumer.durable.name, not consumer.state["running"]
        health = self._pb.DurableHealth(durable=name, broken=broken, parked=consumer.is_parked(corp_id))
        try:
            info = await self._js.consumer_info(consumer.durable.stream, name)
        except (NatsError, APIError, TimeoutError):
            health.broken = True
            return health
        health.pending, health.in_flight = info.num_pending or 0, info.num_ack_pending or 0
        return health
