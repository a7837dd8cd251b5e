"""PostgreSQL connections: codecs, time bounds that nest, and what counts as an outage."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import asyncpg
from asyncpg.protocol import protocol

from chassis.errors import Conflict, Unavailable

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = Any
    Pool = Any


class Row(Protocol):
    """A row, whether it came from PostgreSQL or was put together here."""

    def __getitem__(self, key: str, /) -> Any: ...

    def keys(self) -> Iterable[str]: ...


# Whether an array's element is an array itself is asked of every one, and by abstract classes that costs more than to
# write it. These are what we hand over.
protocol.IterableABC = (list, tuple, set, frozenset, deque, type({}.keys()), type({}.values()))  # type: ignore[attr-defined]
protocol.SizedABC = object  # type: ignore[attr-defined]

# statement < transaction < the consumers' ack wait (chassis.consumer)
BOUNDS = {
    "statement_timeout": "8s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "transaction_timeout": "10s",
}

# The work outgrew its bound, or the store is slow: the same work again may end the same way.
TIMEOUTS: tuple[type[BaseException], ...] = (asyncpg.QueryCanceledError, asyncpg.TransactionTimeoutError)

TRANSIENT: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # The driver lost track of a connection that broke in the middle of a conversation.
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    *TIMEOUTS,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    # A fail-over, a password being changed, another replica's migration: the work is not at fault.
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.OutdatedSchemaCacheError,
    Conflict,
    Unavailable,
    OSError,
    asyncio.TimeoutError,
)


def is_transient(error: BaseException) -> bool:
    """True when the same work may succeed later as it is; False when the work itself is at fault."""
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return False  # a value that does not fit its parameter: asyncpg raises both at once
    if isinstance(error, asyncpg.ProtocolViolationError):
        return False  # bytes that are no value of their type; it only shares a class with lost connections
    return isinstance(error, TRANSIENT)


def is_timeout(error: BaseException) -> bool:
    """True when a statement or transaction ran into its bound; lock time-outs and lost connections are none."""
    return isinstance(error, TIMEOUTS)


def _uuid_bytes(text: str) -> bytes:
    raw = bytes.fromhex(text.replace("-", ""))
    if len(raw) != 16:
        raise ValueError("expected a UUID")
    return raw


def _uuid_text(raw: bytes) -> str:
    digits = raw.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", format="binary", encoder=_uuid_bytes, decoder=_uuid_text
    )


async def _keep_as_it_is(connection: Connection) -> None:
    """Nothing of ours outlives its transaction, so giving a connection back costs no round trip."""


async def open_pool(url: str, schema: str, *, size: int) -> Pool:
    """A pool whose connections see `schema` first and nothing of other services. UUIDs are text on our side."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        init=_prepare,
        reset=_keep_as_it_is,
        timeout=5,
        command_timeout=15,
        server_settings={"search_path": schema, "application_name": schema, "jit": "off", "timezone": "UTC", **BOUNDS},
    )
