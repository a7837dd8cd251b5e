"""Who may come in: WeCom sign-in for employees, keys for programs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from uuid_utils import uuid7

from chassis.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from chassis.kernel.caller import Caller
from chassis.outbox import Tx
from chassis.pool import Pool, Row
from chassis.wecom.client import WeComAway, WeComError
from identity.db import access as db
from identity.db import staff

KEY_PREFIX = "bhk"


class SignInBook(Protocol):
    async def who_signed_in(self, corp_id: str, code: str) -> str: ...


@dataclass(frozen=True, slots=True)
class KeyHolder:
    corp_id: str
    api_key_id: str


class Access:
    def __init__(self, pool: Pool, book: SignInBook) -> None:
        self._pool, self._book = pool, book

    async def sign_in(self, corp_id: str, code: str) -> tuple[str, str]:
        """(userid, role). Raises Unauthenticated for a bad code, Forbidden for somebody who is no active member."""
        try:
            userid = await self._book.who_signed_in(corp_id, code)
        except WeComAway as error:
            raise Unavailable("WECOM_AWAY", "WeCom does not answer") from error
        except WeComError as error:
            raise Unauthenticated("SIGN_IN_CODE_WRONG", "WeCom does not know this code", field="code") from error
        return userid, await self.role_of(corp_id, userid)

    async def end_session(self, corp_id: str, session_id: str, until: datetime) -> None:
        async with self._pool.acquire() as connection:
            await db.end_session(connection, corp_id, session_id, until)

    async def forget_sessions(self) -> int:
        """Those whose tokens have expired by themselves."""
        async with self._pool.acquire() as connection:
            return await db.forget_sessions(connection)

    async def role_of(self, corp_id: str, userid: str, session_id: str = "") -> str:
        """Raises Forbidden for somebody who is no active member, now; Unauthenticated for a session that was ended."""
        async with self._pool.acquire() as connection:
            if session_id and await db.is_ended(connection, corp_id, session_id):
                raise Unauthenticated("SESSION_ENDED", "signed out: sign in again")
            if not userid or not await staff.is_active(connection, corp_id, userid):
                raise Forbidden("NOT_A_MEMBER", "only active members of the corp may sign in")
            return await db.role_of(connection, corp_id, userid) or "FRONTLINE"

    async def sealed_name(self, corp_id: str, userid: str) -> bytes | None:
        async with self._pool.acquire() as connection:
            rows = await staff.get(connection, corp_id, [userid])
        return rows[0]["sealed_name"] if rows else None

    async def create_key(self, tx: Tx, corp_id: str, name: str) -> tuple[Row, str]:
        """The row, and the key in the clear, which exists only in this answer."""
        api_key_id, secret = str(uuid7()), secrets.token_urlsafe(32)
        row = await db.add_key(tx.connection, corp_id, api_key_id, name, _digest(secret))
        return row, f"{KEY_PREFIX}.{corp_id}.{api_key_id}.{secret}"

    async def verify_key(self, key: str) -> KeyHolder:
        parts = key.split(".")
        wrong = Unauthenticated("API_KEY_WRONG", "the key is unknown or revoked")
        if len(parts) != 4 or parts[0] != KEY_PREFIX:
            raise wrong
        _, corp_id, api_key_id, secret = parts
        try:
            UUID(api_key_id)
        except ValueError:
            raise wrong from None
        async with self._pool.acquire() as connection:
            row = await db.key(connection, corp_id, api_key_id)
        if row is None or row["revoked_at"] or not hmac.compare_digest(row["digest"], _digest(secret)):
            raise wrong
        return KeyHolder(corp_id, api_key_id)

    async def check_key(self, corp_id: str, api_key_id: str) -> None:
        """Raises Unauthenticated for a key that is unknown or revoked."""
        async with self._pool.acquire() as connection:
            row = await db.key(connection, corp_id, api_key_id)
        if row is None or row["revoked_at"]:
            raise Unauthenticated("API_KEY_WRONG", "the key is unknown or revoked")

    async def list_keys(self, corp_id: str, after: str, limit: int) -> Sequence[Row]:
        async with self._pool.acquire() as connection:
            return await db.keys(connection, corp_id, after, limit)

    async def revoke_key(self, corp_id: str, api_key_id: str) -> None:
        async with self._pool.acquire() as connection:
            if not await db.revoke(connection, corp_id, api_key_id):
                raise NotFound("API_KEY_NOT_FOUND", field="apiKeyId")


class LocalMembers:
    """Who somebody is now (chassis.jobs.runner), asked in our own house."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def role_of(self, who: Caller) -> str:
        """Raises Forbidden or Unauthenticated for who is none of ours any more."""
        if who.userid:
            return await self._access.role_of(who.corp_id, who.userid)
        await self._access.check_key(who.corp_id, who.api_key_id)
        return "SERVICE"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
