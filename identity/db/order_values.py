"""What customers' orders are worth, as commerce last said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.pool import Connection


async def save(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of (corp, mall, order, buyer, paid, refunded, version); the highest version wins."""
    columns = list(zip(*sorted(rows, key=lambda r: r[:3]), strict=True))
    await connection.execute(
        """
        insert into order_values as o (corp_id, mall_id, order_id, buyer_id, paid_fen, refunded_fen, version)
        select *
        from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[])
        on conflict (corp_id, mall_id, order_id) do update
        set buyer_id = excluded.buyer_id,
            paid_fen = excluded.paid_fen,
            refunded_fen = excluded.refunded_fen,
            version = excluded.version
        where o.version < excluded.version
        """,
        *columns,
    )
