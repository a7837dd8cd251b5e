"""Durables on the server: declared without undoing what others have set, found, and moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from chassis.bus import ask
from chassis.logs import log


async def declare(
    js: JetStreamContext,
    stream: str,
    durable: str,
    subjects: Sequence[str],
    *,
    ack_wait_seconds: float,
    max_ack_pending: int,
) -> None:
    """Creates the durable, or updates what is this release's to say: its ack wait, that no fact is ever given up, and
    a `max_ack_pending` that is only raised. What else an operator has set stays.

    What a durable is fed never changes, since the server would pass over what it has already seen: raises ValueError
    when the server's durable lacks one of `subjects`. One that is fed more belongs to another release and stays so.
    """
    wanted: dict[str, Any] = {
        "durable_name": durable,
        "filter_subjects": list(subjects),
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "max_ack_pending": max_ack_pending,
    }
    try:
        wanted = dict((await ask(js, f"CONSUMER.INFO.{stream}.{durable}", {}))["config"])
        fed = wanted.get("filter_subjects") or [wanted.get("filter_subject", ">")]
        missing = sorted(set(subjects) - set(fed))
        if missing:
            raise ValueError(f"durable {durable} is not fed {missing}: a new type needs a durable of its own")
        if set(fed) != set(subjects):
            log.warning("durable_fed_more", durable=durable, more=sorted(set(fed) - set(subjects)))
        known = dict(wanted)
        wanted["max_ack_pending"] = max(wanted["max_ack_pending"], max_ack_pending)
    except NotFoundError:
        known = {}
    wanted |= {"ack_wait": int(ack_wait_seconds * 1e9), "max_deliver": -1}
    if wanted != known:
        await ask(js, f"CONSUMER.DURABLE.CREATE.{stream}.{durable}", {"stream_name": stream, "config": wanted})


async def names(js: JetStreamContext, stream: str) -> list[str]:
    """Names of all durables of the stream."""
    found: list[str] = []
    while True:
        page = await ask(js, f"CONSUMER.NAMES.{stream}", {"offset": len(found)})
        found += page["consumers"] or []
        if not page["consumers"] or len(found) >= page["total"]:
            return sorted(found)


async def first_at(js: JetStreamContext, stream: str, since: datetime) -> int:
    """The sequence number of the stream's first message at or after `since`; the next one's when there is none."""
    probe = ConsumerConfig(
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=since,
        ack_policy=AckPolicy.NONE,
        inactive_threshold=5,
    )
    info = await js.add_consumer(stream, probe)
    await js.delete_consumer(stream, info.name)
    assert info.delivered is not None, "the server tells where a consumer stands"
    return int(info.delivered.stream_seq) + 1


async def move(js: JetStreamContext, stream: str, durable: str, sequence: int) -> int:
    """Makes the durable go on at this message, and returns how many are to come. Its consumers may go on;
    what they have at hand is given to them once more."""
    answer = await ask(js, f"CONSUMER.RESET.{stream}.{durable}", {"seq": sequence})
    return int(answer["num_pending"])
