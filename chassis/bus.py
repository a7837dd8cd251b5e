"""NATS JetStream: connection, streams, key-value buckets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
from nats.js import JetStreamContext
from nats.js.api import (
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StoreCompression,
    StreamConfig,
    StreamSource,
)
from nats.js.errors import BadRequestError, BucketNotFoundError, NotFoundError
from nats.js.kv import KeyValue

from chassis.logs import log
from chassis.nats_connection import Connection

SEVEN_DAYS = 7 * 86400.0
DEDUPLICATION_SECONDS = 600.0
# JetStream's code for "there is a stream of this name with other settings".
STREAM_NAME_IN_USE = 10058


async def connect(url: str, name: str) -> Connection:
    """A connection that reconnects for ever, at another server of the cluster when its own has died; `url` may name
    several, joined by commas. Permission errors reach the log: the publisher sees only a time-out."""
    servers = url.split(",")
    # As options they hold for servers that the cluster tells of, too, whose addresses carry none.
    credentials = urlsplit(servers[0])
    secret = {"user": credentials.username, "password": credentials.password}
    if credentials.password is None:
        secret = {"token": credentials.username}

    async def on_error(error: Exception) -> None:
        log.warning("nats_error", error=repr(error))

    async def on_disconnect() -> None:
        log.warning("nats_disconnected")

    async def on_reconnect() -> None:
        log.info("nats_reconnected")

    connection = Connection()
    await connection.connect(
        servers,
        name=name,
        **secret,  # type: ignore[arg-type]  # each is a text or None
        error_cb=on_error,
        disconnected_cb=on_disconnect,
        reconnected_cb=on_reconnect,
        reconnect_time_wait=0.2,  # type: ignore[arg-type]  # seconds; it is only slept
        max_reconnect_attempts=-1,
        connect_timeout=5,
        # A server that does not answer is noticed after some ten seconds, not after minutes.
        ping_interval=4,
        max_outstanding_pings=2,
        allow_reconnect=True,
        pending_size=32 * 1024 * 1024,
    )
    return connection


async def declare_streams(js: JetStreamContext, streams: Mapping[str, Iterable[str]], replicas: int) -> None:
    """Creates the streams (name → subjects) that are missing and widens the others; any process may, in any order.

    What is there is never narrowed: a release that knows fewer subjects, or a deployment that wants fewer replicas,
    changes nothing, and neither does it touch what an operator has set.
    """
    for name, subjects in streams.items():
        try:
            config = (await ask(js, f"STREAM.INFO.{name}", {}))["config"]
        except NotFoundError:
            await js.add_stream(_new_stream(name, list(subjects), replicas))
            continue
        missing = [subject for subject in subjects if subject not in config["subjects"]]
        if missing or config["num_replicas"] < replicas:
            config["subjects"] += missing
            config["num_replicas"] = max(config["num_replicas"], replicas)
            await ask(js, f"STREAM.UPDATE.{name}", config)


async def max_age(js: JetStreamContext, stream: str) -> float:
    """Seconds that the stream keeps what it holds; 0: for ever."""
    return float((await ask(js, f"STREAM.INFO.{stream}", {}))["config"]["max_age"] / 1e9)


async def declare_archive(
    js: JetStreamContext, name: str, *, source: str, subject: str, max_age: float, replicas: int
) -> None:
    """A stream that copies `subject` from another one and keeps it for `max_age` seconds; widened, never narrowed.

    It takes no subject of its own, and nobody who publishes waits for it.
    """
    try:
        config = (await ask(js, f"STREAM.INFO.{name}", {}))["config"]
    except NotFoundError:
        await js.add_stream(
            StreamConfig(
                name=name,
                sources=[StreamSource(name=source, filter_subject=subject)],
                storage=StorageType.FILE,
                discard=DiscardPolicy.OLD,
                max_age=max_age,
                num_replicas=replicas,
                compression=StoreCompression.S2,
                allow_direct=True,
            )
        )
        return
    wider = {
        # 0: for ever.
        "max_age": max(config["max_age"], int(max_age * 1e9)) if config["max_age"] else 0,
        "num_replicas": max(config["num_replicas"], replicas),
    }
    if any(config[key] != value for key, value in wider.items()):
        await ask(js, f"STREAM.UPDATE.{name}", {**config, **wider})


def _new_stream(name: str, subjects: list[str], replicas: int) -> StreamConfig:
    return StreamConfig(
        name=name,
        subjects=subjects,
        storage=StorageType.FILE,
        retention=RetentionPolicy.LIMITS,
        # A full stream refuses at the door; it never forgets a fact.
        discard=DiscardPolicy.NEW,
        max_age=SEVEN_DAYS,
        duplicate_window=DEDUPLICATION_SECONDS,
        num_replicas=replicas,
        allow_direct=True,
    )


async def ask(js: JetStreamContext, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """JetStream's own answer: nats-py's stream settings know fewer fields than a server may have."""
    answer: dict[str, Any] = await js._api_request(f"{js._prefix}.{what}", orjson.dumps(body), timeout=5)
    return answer


async def open_bucket(
    js: JetStreamContext, name: str, *, replicas: int, history: int = 1, ttl: float | None = None
) -> KeyValue:
    """The key-value bucket of this name; made with `replicas` and `ttl` (seconds an entry lives) when it is missing.

    One that is there stays as it is, whoever made it. Raises what nats-py raises when JetStream is away.
    """
    try:
        return await js.key_value(name)
    except BucketNotFoundError:
        pass
    try:
        return await js.create_key_value(KeyValueConfig(bucket=name, history=history, ttl=ttl, replicas=replicas))
    except BadRequestError as error:
        if error.err_code != STREAM_NAME_IN_USE:
            raise
        return await js.key_value(name)  # another process was faster, with settings of its own
