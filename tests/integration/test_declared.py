"""What processes declare at start never undoes what an operator, a newer release or a larger deployment has set."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from nats.js import JetStreamContext

from chassis import bus, durables

DAY = 86400.0


@asynccontextmanager
async def stream(js: JetStreamContext, *subjects: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A stream of the test's own, as we make it: its name and subjects."""
    name = f"T{uuid.uuid4().hex[:12]}"
    own = [f"{name}.{subject}" for subject in subjects]
    await bus.declare_streams(js, {name: own}, 1)
    try:
        yield name, own
    finally:
        await js.delete_stream(name)


async def config_of(js: JetStreamContext, name: str) -> dict[str, Any]:
    """The server's own words: nats-py knows fewer settings than a server may have."""
    return dict((await bus.ask(js, f"STREAM.INFO.{name}", {}))["config"])


async def test_a_start_keeps_what_an_operator_set(jetstream: JetStreamContext) -> None:
    async with stream(jetstream, "a.>") as (name, subjects):
        set_by_hand = {"max_age": int(30 * DAY * 1e9), "max_bytes": 50_000_000, "description": "ask ops before"}
        await bus.ask(jetstream, f"STREAM.UPDATE.{name}", await config_of(jetstream, name) | set_by_hand)
        before = await config_of(jetstream, name)
        await bus.declare_streams(jetstream, {name: subjects}, 1)
        assert await config_of(jetstream, name) == before
        await bus.declare_streams(jetstream, {name: [*subjects, f"{name}.b.>"]}, 1)
        assert await config_of(jetstream, name) == before | {"subjects": [f"{name}.a.>", f"{name}.b.>"]}


async def test_an_older_release_narrows_no_stream(jetstream: JetStreamContext) -> None:
    async with stream(jetstream, "a.>", "b.>") as (name, subjects):
        await bus.declare_streams(jetstream, {name: subjects[:1]}, 1)
        assert (await config_of(jetstream, name))["subjects"] == subjects


async def test_a_smaller_deployment_lowers_no_replicas_and_a_larger_one_raises_them(
    jetstream: JetStreamContext,
) -> None:
    """One server cannot hold three copies: what is asked of it is what counts."""
    async with stream(jetstream, "a.>") as (name, subjects):
        asked: list[tuple[str, int]] = []
        server = Replicated(jetstream, 3, asked)
        await bus.declare_streams(server, {name: subjects}, 1)  # type: ignore[arg-type]
        assert asked == []
        server = Replicated(jetstream, 1, asked)
        await bus.declare_streams(server, {name: subjects}, 3)  # type: ignore[arg-type]
        assert asked == [(f"$JS.API.STREAM.UPDATE.{name}", 3)]


class Replicated:
    """The real server, whose streams have so many replicas; it takes no update."""

    def __init__(self, js: JetStreamContext, replicas: int, asked: list[tuple[str, int]]) -> None:
        self._js, self._replicas, self._asked = js, replicas, asked
        self._prefix = js._prefix

    async def _api_request(self, subject: str, body: bytes = b"", timeout: float = 5) -> dict[str, Any]:
        if ".UPDATE." in subject:
            self._asked.append((subject, orjson.loads(body)["num_replicas"]))
            return {}
        answer = await self._js._api_request(subject, body, timeout=timeout)
        answer["config"]["num_replicas"] = self._replicas
        return dict(answer)


async def test_a_bucket_is_made_once_and_never_altered(jetstream: JetStreamContext) -> None:
    name = f"t-{uuid.uuid4().hex[:12]}"
    one, other = await asyncio.gather(
        bus.open_bucket(jetstream, name, replicas=1, ttl=60), bus.open_bucket(jetstream, name, replicas=1, ttl=90)
    )
    await one.put("key", b"value")
    assert (await other.get("key")).value == b"value"
    before = await config_of(jetstream, f"KV_{name}")
    late = await bus.open_bucket(jetstream, name, replicas=3, history=5)
    assert (await late.get("key")).value == b"value"
    assert await config_of(jetstream, f"KV_{name}") == before
    await jetstream.delete_key_value(name)


async def test_a_durable_keeps_what_an_operator_set_and_follows_the_release(jetstream: JetStreamContext) -> None:
    async with stream(jetstream, "a.>") as (name, subjects):

        async def declare(*, pending: int, ack_wait: float = 30) -> dict[str, Any]:
            await durables.declare(jetstream, name, "d", subjects, ack_wait_seconds=ack_wait, max_ack_pending=pending)
            return await durable_of(jetstream, name)

        before = await declare(pending=512)
        assert (before["max_deliver"], before["ack_wait"], before["max_ack_pending"]) == (-1, 30 * 10**9, 512)
        set_by_hand = {"description": "slow on purpose", "sample_freq": "10", "max_ack_pending": 4000}
        await bus.ask(
            jetstream,
            f"CONSUMER.DURABLE.CREATE.{name}.d",
            {"stream_name": name, "config": before | set_by_hand | {"max_deliver": 5}},
        )
        assert await declare(pending=512) == before | set_by_hand
        assert await declare(pending=8000) == before | set_by_hand | {"max_ack_pending": 8000}
        assert (await declare(pending=512, ack_wait=12))["ack_wait"] == 12 * 10**9


async def durable_of(js: JetStreamContext, name: str) -> dict[str, Any]:
    return dict((await bus.ask(js, f"CONSUMER.INFO.{name}.d", {}))["config"])
