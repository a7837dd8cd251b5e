"""What another service states, kept as a table of ours: per key the highest version wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chassis.pool import Connection


class Projection:
    """A table of a key, columns and a `version`, fed by facts that each state a key's whole row.

    `key` and `columns` name each column with its SQL type. Any order and any repetition of the same rows leave the
    same table, so its durable needs no inbox (chassis.consumer.Durable.idempotent).
    """

    def __init__(self, table: str, key: Mapping[str, str], columns: Mapping[str, str]) -> None:
        self.table = table
        self._key = tuple(key)
        self._types = {**key, **columns, "version": "bigint"}
        names = ", ".join(self._types)
        # An array of arrays of unequal length has no type in SQL: those travel as text.
        sent = ", ".join(
            f"${n}::text[]" if _is_array(sql) else f"${n}::{sql}[]" for n, sql in enumerate(self._types.values(), 1)
        )
        read = ", ".join(f"{name}::{sql}" if _is_array(sql) else name for name, sql in self._types.items())
        changes = ", ".join(f"{name} = excluded.{name}" for name in (*columns, "version"))
        self._sql = f"""
            insert into {table} as mine ({names})
            select {read}
            from unnest({sent}) as stated ({names})
            on conflict ({", ".join(key)}) do update
            set {changes}
            where mine.version < excluded.version
            returning {", ".join(key)}
        """

    async def save(self, connection: Connection, rows: Iterable[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """Keeps the newest of what is stated; returns the keys whose row is another now, sorted."""
        newest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        for row in rows:
            key = tuple(row[name] for name in self._key)
            if key not in newest or newest[key]["version"] < row["version"]:
                newest[key] = row
        if not newest:
            return []
        ordered = [newest[key] for key in sorted(newest)]
        changed = await connection.fetch(
            self._sql,
            *(
                [_literal(row[name]) for row in ordered] if _is_array(sql) else [row[name] for row in ordered]
                for name, sql in self._types.items()
            ),
        )
        return sorted(tuple(row) for row in changed)


def _is_array(sql_type: str) -> bool:
    return sql_type.endswith("[]")


def _literal(values: Iterable[object]) -> str:
    """Of numbers or ids: nothing in them needs to be quoted."""
    return "{" + ",".join(map(str, values)) + "}"
