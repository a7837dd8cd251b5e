"""The RPCs over a service's dead letters and parked corps, with the messages that each service hands in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError
from nats.js import JetStreamContext

from chassis import dead_letters, paging, parking
from chassis.dead_letters.replay import replay_all
from chassis.errors import Invalid, NotFound
from chassis.kernel.caller import caller
from chassis.pool import Pool, Row

MOST_AT_ONCE = 1000
MOST_GIVEN_UP_AT_ONCE = 10_000
# Well inside what a caller waits.
REPLAY_SECONDS = 5.0


class DeadLetterServicer:
    """`pb` is the module of bihuan.operations.v1's dead letter messages, which the chassis does not know."""

    def __init__(self, pool: Pool, js: JetStreamContext, pb: Any) -> None:
        self._pool, self._js, self._pb = pool, js, pb

    async def ListDeadLetters(self, request: Any, context: Any) -> Any:
        page = paging.page(request.page_size, request.page_token)
        after = paging.position(page.after) if page.after else None
        async with self._pool.acquire() as connection:
            rows = await dead_letters.page(connection, caller().corp_id, request.durable or None, after, page.size)
        keys = [json.dumps([row["at"].isoformat(), row["durable"], row["fact_id"]]) for row in rows]
        return self._pb.ListDeadLettersResponse(
            dead_letters=[self._shown(row) for row in rows], next_page_token=page.next_token(keys)
        )

    async def GetDeadLetter(self, request: Any, context: Any) -> Any:
        async with self._pool.acquire() as connection:
            row = await dead_letters.get(connection, caller().corp_id, request.durable, request.fact_id)
        if row is None:
            raise NotFound("DEAD_LETTER_NOT_FOUND", field="factId")
        return self._pb.GetDeadLetterResponse(dead_letter=self._shown(row), fact=_as_json(row), payload=row["payload"])

    async def ReplayDeadLetters(self, request: Any, context: Any) -> Any:
        wanted = _at_most(request.fact_ids)
        async with self._pool.acquire() as connection:
            ended = await replay_all(
                connection,
                self._js,
                caller().corp_id,
                request.durable or None,
                only=wanted or None,
                seconds=REPLAY_SECONDS,
            )
        return self._pb.ReplayDeadLettersResponse(replayed=ended.replayed, remaining=ended.remaining)

    async def GiveUpDeadLetters(self, request: Any, context: Any) -> Any:
        async with self._pool.acquire() as connection:
            given_up = await dead_letters.close(
                connection, caller().corp_id, request.durable or None, _at_most(request.fact_ids), "GIVEN_UP"
            )
        return self._pb.GiveUpDeadLettersResponse(given_up=given_up)

    async def ListParkedHandlers(self, request: Any, context: Any) -> Any:
        async with self._pool.acquire() as connection:
            rows = await parking.page(connection, caller().corp_id)
        names = ("durable", "since", "reason", "detail", "kept", "released_at")
        return self._pb.ListParkedHandlersResponse(
            parked_handlers=[self._pb.ParkedHandler(**{name: row[name] for name in names}) for row in rows]
        )

    async def ReleaseParkedHandlers(self, request: Any, context: Any) -> Any:
        async with self._pool.acquire() as connection:
            released = await parking.release(connection, caller().corp_id, request.durable or None)
        return self._pb.ReleaseParkedHandlersResponse(released=released)

    async def GiveUpParkedFacts(self, request: Any, context: Any) -> Any:
        if not request.durable:
            raise Invalid("FIELD_MISSING", field="durable", expected="a value")
        async with self._pool.acquire() as connection:
            given_up, remaining = await parking.give_up(
                connection, caller().corp_id, request.durable, MOST_GIVEN_UP_AT_ONCE
            )
        return self._pb.GiveUpParkedFactsResponse(given_up=given_up, remaining=remaining)

    def _shown(self, row: Row) -> Any:
        return self._pb.DeadLetter(
            durable=row["durable"],
            fact_id=row["fact_id"],
            type=json.loads(row["headers"]).get("ce-type", ""),
            reason=row["reason"],
            detail=row["detail"],
            at=row["at"],
            replayed_at=row["replayed_at"],
            outcome=row["outcome"] or "",
        )


def _at_most(fact_ids: Iterable[str]) -> set[str]:
    wanted = set(fact_ids)
    if len(wanted) > MOST_AT_ONCE:
        raise Invalid("TOO_MANY", field="factIds", expected=f"at most {MOST_AT_ONCE}")
    return wanted


def _as_json(row: Row) -> str:
    """Empty for a type nobody knows, and for bytes that are no message of it."""
    name = json.loads(row["headers"]).get("ce-type", "")
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
        fact = message_factory.GetMessageClass(descriptor).FromString(row["payload"])
    except (KeyError, DecodeError):
        return ""
    return MessageToJson(fact, indent=None, ensure_ascii=False)
