"""Creates that are safe to repeat: an Idempotency-Key is written in the transaction of the effect it stands for.

Same key and same request: the stored answer again. Same key, other request: refused. While the first is still at
work, a second is told so; a crash takes the open transaction and its lock along, so that no key stays behind.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TypeVar

from google.protobuf.message import Message

from chassis.errors import Conflict, Precondition
from chassis.facts import type_of
from chassis.kernel.caller import caller
from chassis.kernel.identifiers import Identifiers
from chassis.outbox import Outbox, Tx
from chassis.pool import Pool
from chassis.sealing import Sealer

METADATA = "idempotency-key"
FIELD = "Idempotency-Key"
KEEP_HOURS = 24
FORGET_ROWS = 5000

Answer = TypeVar("Answer", bound=Message)


class _Key:
    """The current call's key; shared by all tasks of the call."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.was_used = False


_key: ContextVar[_Key | None] = ContextVar("idempotency_key", default=None)


def enter(key: str) -> None:
    """Makes the call's key the current one; empty for none."""
    _key.set(_Key(key))


def was_ignored() -> bool:
    """True when the current call came with a key and nobody has kept its promise."""
    key = _key.get()
    return key is not None and bool(key.value) and not key.was_used


class IdempotentRequests:
    """Runs creates, each at most once per caller and key."""

    def __init__(self, outbox: Outbox, sealer: Sealer, identifiers: Identifiers) -> None:
        self._outbox, self._sealer, self._identifiers = outbox, sealer, identifiers

    async def __call__(self, request: Message, create: Callable[[Tx], Awaitable[Answer]], kind: type[Answer]) -> Answer:
        """`create` makes the effect inside the transaction it is given and returns the answer, of type `kind`.

        Raises Conflict while the key is in use, Precondition when it stood for another request.
        """
        current = _key.get()
        if current is None or not current.value:
            async with self._outbox.transaction() as tx:
                return await create(tx)
        key, current.was_used = current.value, True
        me = caller()
        body = base64.b64encode(request.SerializeToString(deterministic=True)).decode()
        request_id = self._identifiers.id_of(me.corp_id, type_of(request), body)
        row_key = (me.corp_id, me.name, key)
        async with self._outbox.transaction() as tx:
            lock = "/".join((type_of(request), *row_key))  # the services may share one database
            if not await tx.connection.fetchval("select pg_try_advisory_xact_lock(hashtextextended($1, 1))", lock):
                raise Conflict("IDEMPOTENCY_KEY_IN_USE", "the first request with this key is at work", field=FIELD)
            known = await tx.connection.fetchrow(
                """
                select request_id, sealed_answer
                from idempotent_requests
                where (corp_id, caller, key) = ($1, $2, $3)
                """,
                *row_key,
            )
            if known is not None:
                if known["request_id"] != request_id:
                    raise Precondition(
                        "IDEMPOTENCY_KEY_REUSED",
                        field=FIELD,
                        expected="a new key, or the request it first came with",
                    )
                return kind.FromString(base64.b64decode(self._sealer.open(me.corp_id, known["sealed_answer"])))
            answer = await create(tx)
            stored = base64.b64encode(answer.SerializeToString()).decode()
            await tx.connection.execute(
                """
                insert into idempotent_requests (corp_id, caller, key, request_id, sealed_answer)
                values ($1, $2, $3, $4, $5)
                """,
                *row_key,
                request_id,
                self._sealer.seal(me.corp_id, stored),
            )
        return answer


async def forget_old(pool: Pool) -> int:
    """Deletes keys that are older than a day, some thousand at a time."""
    status = await pool.execute(
        """
        delete from idempotent_requests
        where ctid in (
            select ctid
            from idempotent_requests
            where at < now() - make_interval(hours => $1)
            limit $2
        )
        """,
        KEEP_HOURS,
        FORGET_ROWS,
    )
    return int(status.split()[-1])
