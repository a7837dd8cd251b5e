"""Welcomes, sent inside WeCom's 20 seconds, once per add (engagement.app.welcome_plans)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from liquid.exceptions import LiquidError

from chassis import scheduled
from chassis.errors import Invalid, NotFound
from chassis.logs import log
from chassis.outbox import Outbox, Tx
from chassis.pool import Row
from chassis.sealing import Sealer
from chassis.wecom.client import WeComAway, WeComError
from engagement.db import media as media_db
from engagement.db import names
from engagement.db import rules as rules_db
from engagement.db import welcomes as db
from engagement.domain import templates
from engagement.domain.attachments import Attached, attached, without_media
from engagement.domain.welcomes import (
    ALREADY_WELCOMED,
    CODE_EXPIRED,
    CODE_LIVES,
    is_certain,
)

KIND = "welcome"
RETRY = timedelta(milliseconds=500)
ENDED_AT_ONCE = 500
# Counted from the arrival: so long a welcome waits for files that are being uploaded, then it goes without them.
FILE_PATIENCE = timedelta(seconds=5)
# Media that WeCom does not know (any more).
MEDIA_REFUSED = frozenset({40004, 40006, 40007, 41006})


class Welcomer(Protocol):
    async def send(
        self,
        corp_id: str,
        welcome_code: str,
        text: str,
        attachments: Sequence[Mapping[str, Any]],
        seconds: float,
        agent_id: int = 0,
    ) -> None:
        """By the app that was given the code; 0: the main one. Raises WeComError or WeComAway, and NotFound when the
        app is not configured."""
        ...


def rule_of(rules: Mapping[tuple[str, str | None], Row], corp_id: str, channel_id: str) -> Row | None:
    return rules.get((corp_id, channel_id)) or rules.get((corp_id, None))


@dataclass(frozen=True, slots=True)
class Sending:
    """A welcome to send, and what became of it: a status of the table, or another try (`again`)."""

    claim: scheduled.Claim
    row: Row | None = None
    code: str = ""
    text: str = ""
    attached: Attached = Attached()
    status: str = ""
    errcode: int | None = None
    ended_at: datetime | None = None
    again: bool = False
    # Surely nothing was sent: WeCom's answer says so, or the call was never made.
    without_effect: bool = False
    # WeCom does not know these media any more.
    stale: Sequence[str] = ()

    @property
    def may_have_been_sent(self) -> bool:
        """True when an earlier call may have had its effect: it was cut off, or its answer does not say."""
        assert self.row is not None, "asked of what is called only"
        # The release before counts every attempt, and those without effect in the welcome's row.
        return self.claim.attempts - 1 > int(self.row["calls_without_effect"])


async def end_given_up(outbox: Outbox) -> int:
    """Ends welcomes whose jobs have ended without an outcome, as dead letters do; returns how many."""
    async with outbox.transaction() as tx:
        return await db.fail_given_up(tx.connection, KIND, ENDED_AT_ONCE)


class Welcomes:
    """Sends welcomes (chassis.effects.EffectHandler)."""

    def __init__(self, outbox: Outbox, welcomer: Welcomer, sealer: Sealer) -> None:
        self._outbox, self._welcomer, self._sealer = outbox, welcomer, sealer

    async def prepare(self, claims: Sequence[scheduled.Claim]) -> list[Sending]:
        async with self._outbox.pool.acquire() as connection:
            rows = await db.open_of(connection, [(claim.corp_id, claim.key) for claim in claims])
            # Their dead letters were replayed.
            await db.reopen(connection, [key for key, row in rows.items() if row["status"] == "FAILED"])
            rules = await rules_db.of_corps(connection, [claim.corp_id for claim in claims])
            media = await media_db.of_files(connection, _files_of(rules.values()))
        found, ended = [], []
        for claim in claims:
            row = rows.get((claim.corp_id, claim.key))
            rule = rule_of(rules, claim.corp_id, row["channel_id"]) if row else None
            if row is None or rule is None:
                # Ended before a crash, or the rule was deleted meanwhile.
                ended.append(Sending(claim, status="WITHOUT_RULE" if row else "ENDED"))
                continue
            try:
                text = templates.fill_in(
                    rule["text"], self._opened(claim, row["customer_name"]), self._opened(claim, row["staff_name"])
                )
                code = self._sealer.open(claim.corp_id, row["sealed_code"])
            except (LiquidError, Invalid):
                # One that cannot be said must not keep the others waiting.
                log.exception("welcome_unsayable", corp_id=claim.corp_id)
                ended.append(Sending(claim, status="REFUSED"))
                continue
            attached = _attached(rule, media)
            if attached.hoped_for and datetime.now(UTC) < row["arrived_at"] + FILE_PATIENCE:
                ended.append(Sending(claim, row, again=True, without_effect=True))
                continue
            found.append(Sending(claim, row, code, text, attached))
        if ended:
            await self.settle(ended)
        return found

    async def call(self, item: Sending) -> Sending:
        """After a crash it is repeated inside its 20 s; "already welcomed" is then our own welcome, if an earlier
        call of ours may have sent it. What WeCom refuses for its files goes at once without them."""
        outcome = await self._call(item)
        if outcome.errcode in MEDIA_REFUSED and item.attached.media_ids:
            plain = replace(item, attached=without_media(item.attached), stale=item.attached.media_ids)
            outcome = await self._call(plain)
        return outcome

    async def _call(self, item: Sending) -> Sending:
        assert item.row is not None, "what has no row is ended without a call"
        left = (item.row["deadline"] - datetime.now(UTC)).total_seconds()
        if left <= 0:
            return replace(item, status="LATE")
        corp_id, seconds = item.claim.corp_id, min(scheduled.CALL_SECONDS, left)
        try:
            await self._welcomer.send(
                corp_id, item.code, item.text, item.attached.attachments, seconds, item.row["agent_id"]
            )
        except WeComAway as away:
            return replace(item, again=True, without_effect=not away.sent)
        except WeComError as error:
            if error.passing:
                without_effect = error.api == "gettoken" or is_certain(error.errcode)
                return replace(item, again=True, without_effect=without_effect)
            if error.errcode == ALREADY_WELCOMED and item.may_have_been_sent:
                return replace(item, status="SENT", errcode=error.errcode, ended_at=datetime.now(UTC))
            log.warning("welcome_refused", corp_id=corp_id, errcode=error.errcode)
            status = "LATE" if error.errcode == CODE_EXPIRED else "REFUSED"
            return replace(item, status=status, errcode=error.errcode)
        except NotFound:
            log.warning("welcome_without_app", corp_id=corp_id, agent_id=item.row["agent_id"])
            return replace(item, status="REFUSED")
        return replace(item, status="SENT", errcode=0, ended_at=datetime.now(UTC))

    async def settle(self, outcomes: Sequence[Sending]) -> None:
        retry_at = datetime.now(UTC) + RETRY
        failed = [item for item in outcomes if _leaves_unwelcomed(item)]
        async with self._outbox.transaction() as tx:
            if failed:
                # So that another code of the same add sees the welcome either open or failed, never in between.
                locked = {(item.claim.corp_id, item.row["contact_id"]) for item in failed if item.row}
                await names.lock_contacts(tx.connection, sorted(locked))
            done = [item for item in outcomes if not item.again]
            ours = await scheduled.finish(tx.connection, KIND, [(item.claim, item.status) for item in done])
            await db.save_outcomes(
                tx.connection,
                [
                    db.Outcome(
                        item.claim.corp_id,
                        item.claim.key,
                        item.status,
                        item.errcode,
                        sent_at=item.ended_at,
                        left_out=item.attached.left_out if item.status == "SENT" else 0,
                    )
                    for item in done
                    if item.status != "ENDED" and (item.claim.corp_id, item.claim.key) in ours
                ],
            )
            for counted in (True, False):
                again = [(item.claim, retry_at) for item in outcomes if item.again and item.without_effect != counted]
                await scheduled.postpone(tx.connection, KIND, again, counted=counted)
            if failed:
                await self._try_another_code(tx, failed)
            stale = [(item.claim.corp_id, media_id) for item in outcomes for media_id in item.stale]
            await media_db.forget(tx.connection, stale)

    async def _try_another_code(self, tx: Tx, failed: Iterable[Sending]) -> None:
        adds = {
            db.Add(
                item.claim.corp_id,
                item.row["contact_id"],
                item.row["userid"],
                item.row["added_at"] or item.row["arrived_at"],
            )
            for item in failed
            if item.row
        }
        now = datetime.now(UTC)
        opened = await db.open_another_code(tx.connection, adds, CODE_LIVES.total_seconds())
        jobs = [scheduled.Job(row["corp_id"], row["welcome_id"], now, row["deadline"]) for row in opened]
        await scheduled.schedule_once(tx.connection, KIND, jobs)

    def _opened(self, claim: scheduled.Claim, sealed: bytes | None) -> str | None:
        return self._sealer.open(claim.corp_id, sealed) if sealed else None


def _attached(rule: Row, media: Mapping[media_db.Key, Row]) -> Attached:
    link = json.loads(rule["link"]) if rule["link"] else None
    kept = json.loads(rule["attachments"]) if rule["attachments"] else ()
    known = {(file_id, kind): row for (corp_id, file_id, kind), row in media.items() if corp_id == rule["corp_id"]}
    return attached(link, kept, known)


def _files_of(rules: Iterable[Row]) -> Iterable[tuple[str, str]]:
    """(corp, file) of these rules."""
    for rule in rules:
        for one in json.loads(rule["attachments"]) if rule["attachments"] else ():
            if "file_id" in one:
                yield rule["corp_id"], one["file_id"]


def _leaves_unwelcomed(item: Sending) -> bool:
    """True when the code failed, and surely nothing was sent with it: another one of the same add may be tried."""
    return (
        item.row is not None
        and item.status in ("LATE", "REFUSED")
        and item.errcode != ALREADY_WELCOMED
        and not item.may_have_been_sent
    )
