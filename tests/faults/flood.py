"""A corp whose facts no handler can read, through every stream: it is parked, and the other corps do not notice."""

from __future__ import annotations

import asyncio
from collections import Counter

import asyncpg
from google.protobuf.message import Message

from chassis import bus, publishing
from chassis.facts import Fact, new_fact, subject_of
from chassis.kernel.staff_subject import staff_suffix
from deploy.local.home import SERVICES
from deploy.local.suite import Suite
from tests.contract.test_facts import durables

# Of each type in each burst: over all bursts far more than park a corp at both replicas.
PER_BURST, BURSTS = 8, 14
UNREADABLE = b"\xff"


class Flood:
    """The facts that were sent for `corp_id`, and what has to be done with every one of them."""

    def __init__(self, suite: Suite, corp_id: str) -> None:
        self.suite, self.corp_id = suite, corp_id
        self._expected: Counter[str] = Counter()  # durable → facts

    async def rise(self) -> None:
        """Some hundreds of facts a second for a while, each confirmed by the server."""
        types = {message for durable in durables() for message in durable.types}
        connected = await bus.connect(self.suite.home.nats_url(self.suite.ports), "flood")
        try:
            for _ in range(BURSTS):
                facts = [self._unreadable(message) for message in types for _ in range(PER_BURST)]
                confirmed = await publishing.publish_until_confirmed(connected.jetstream(), facts, seconds=60)
                assert len(confirmed) == len(facts), "NATS did not take the flood"
                await asyncio.sleep(1)
        finally:
            await connected.close()
        for durable in durables():
            self._expected[durable.name] += PER_BURST * BURSTS * len(durable.types)

    async def ebb(self) -> None:
        """Checks that each fact was put aside once and that this corp alone was parked; then forgets both, so that the
        next flood begins as this one did."""
        if not self._expected:
            return
        for service in SERVICES:
            mine = {name: count for name, count in self._expected.items() if name.startswith(f"{service}-")}
            url = self.suite.home.postgres_url(self.suite.ports, service)
            database = await asyncpg.connect(url, server_settings={"search_path": service})
            try:
                put_aside = await database.fetch(
                    "select durable, count(*) from dead_letters where corp_id = $1 group by durable", self.corp_id
                )
                parked = await database.fetch("select corp_id, durable from parked")
                await database.execute("delete from parked where corp_id = $1", self.corp_id)
                await database.execute("delete from dead_letters where corp_id = $1", self.corp_id)
            finally:
                await database.close()
            assert dict(put_aside) == mine, f"of the flood was put aside {dict(put_aside)} where {mine} had come"
            assert {tuple(row) for row in parked} == {(self.corp_id, name) for name in mine}
        self._expected.clear()

    def _unreadable(self, message: type[Message]) -> Fact:
        narrowed = subject_of(message).startswith("evt.bihuan.staff.")
        suffix = staff_suffix(self.corp_id, "guide_001") if narrowed else ""
        fact = new_fact(message(), corp_id=self.corp_id, source="flood", subject_suffix=suffix)
        return fact._replace(payload=UNREADABLE)
