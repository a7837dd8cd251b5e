"""Figures by day, kept beside the rows that they are counted from, so that a report reads days and not orders.

A roll-up's table has the key (corp_id, day, dimensions…) and a bigint per measure. Each row is a pure function of the
base tables: it is counted anew, never added to, so that order, doubles and replays cannot make it wrong. Whoever
changes a base row says which keys it touches (a trigger that writes marks, also for a replica of the release before);
a work queue (chassis.work_queue) takes the marks after their commit and has the keys counted:

    ADDS = DayRollup("add_days", {"channel_id": "uuid", "userid": "text"}, ("adds", "customers"), COUNT)
    await ADDS.count(tx.connection, keys, service.corps)

Two replicas may count one key at once. The one that gets its row second begins its counting after the first has
committed, so it sees at least as much.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from chassis.kernel.corps import Corp, Corps
from chassis.kernel.periods import Period
from chassis.pool import Connection, Pool

DayKey = tuple[Any, ...]  # corp, day, dimensions…


@dataclass(frozen=True, slots=True)
class DayRollup:
    """`counting`: SQL that selects (corp_id, day, dimensions…, measures…) from `keys k`, which has these columns but
    the measures, and `since` and `until`: the moments between which the day lies. Keys that it leaves out count 0."""

    table: str
    # Column → SQL type.
    dimensions: Mapping[str, str]
    measures: tuple[str, ...]
    counting: str

    async def count(self, connection: Connection, keys: Iterable[DayKey], corps: Corps) -> None:
        """Counts these keys anew. Of corps that are not configured any more nothing is counted."""
        zones = {corp.corp_id: ZoneInfo(corp.timezone) for corp in corps}
        ordered = sorted({key for key in keys if key[0] in zones}, key=lambda key: tuple(map(str, key)))
        if not ordered:
            return
        columns = list(zip(*ordered, strict=True))
        days = [Period(key[1], key[1], zones[key[0]]) for key in ordered]
        await connection.execute(self._make(), *columns)
        await connection.execute(self._lock(), *columns)
        await connection.execute(self._count(), *columns, [day.since for day in days], [day.until for day in days])

    @property
    def _names(self) -> tuple[str, ...]:
        return "corp_id", "day", *self.dimensions

    def _keys(self) -> str:
        types = ("text", "date", *self.dimensions.values())
        return ", ".join(f"${number}::{one}[]" for number, one in enumerate(types, start=1))

    def _make(self) -> str:
        names = ", ".join(self._names)
        return f"""
            insert into {self.table} ({names})
            select {names}
            from unnest({self._keys()}) with ordinality as k ({names}, position)
            order by position
            on conflict do nothing
        """

    def _lock(self) -> str:
        names = ", ".join(self._names)
        return f"""
            select
            from {self.table} t
            join unnest({self._keys()}) with ordinality as k ({names}, position)
                on {self._equal("t", "k")}
            order by k.position
            for update of t
        """

    def _count(self) -> str:
        names, last = ", ".join(self._names), len(self._names)
        counted = ", ".join(f"coalesce(c.{one}, 0) as {one}" for one in self.measures)
        return f"""
            with keys as (
                select *
                from unnest({self._keys()}, ${last + 1}::timestamptz[], ${last + 2}::timestamptz[])
                    as k ({names}, since, until)
            ),
            counted as ({self.counting}),
            fresh as (
                select {", ".join(f"k.{one}" for one in self._names)}, {counted}
                from keys k
                left join counted c on {self._equal("c", "k")}
            )
            update {self.table} t
            set {", ".join(f"{one} = f.{one}" for one in self.measures)}
            from fresh f
            where {self._equal("t", "f")}
              and ({", ".join(f"t.{one}" for one in self.measures)})
                  is distinct from ({", ".join(f"f.{one}" for one in self.measures)})
        """

    def _equal(self, one: str, other: str) -> str:
        return " and ".join(f"{one}.{name} = {other}.{name}" for name in self._names)


MarkAll = Callable[[Connection, Corp], Awaitable[None]]


async def mark_where_zones_changed(pool: Pool, corps: Corps, rollup: str, mark_all: MarkAll) -> int:
    """Has the days of each corp counted anew whose zone is not the one that they were cut by, new corps among them.

    `mark_all(connection, corp)` marks all keys that the corp's roll-up has, and all that its base rows lie in. Returns
    how many corps.
    """
    changed = 0
    for corp in corps:
        async with pool.acquire() as connection, connection.transaction():
            status = await connection.execute(
                """
                insert into day_zones as z (corp_id, rollup, zone)
                values ($1, $2, $3)
                on conflict (corp_id, rollup) do update set zone = excluded.zone
                where z.zone <> excluded.zone
                """,
                corp.corp_id,
                rollup,
                corp.timezone,
            )
            if status == "INSERT 0 1":
                await mark_all(connection, corp)
                changed += 1
    return changed


def day_of(corps: Corps, corp_id: str, moment: Any) -> date | None:
    """The corp's day in which a moment lies; None for a corp that is not configured any more."""
    corp = corps.find(corp_id)
    return corp.day_of(moment) if corp is not None else None
