"""Order lines: those of the newest detail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from chassis.pool import Connection, Row
from commerce.db.orders import Key
from commerce.domain.orders import Line


@dataclass(frozen=True, slots=True)
class OrderLine:
    key: Key
    line: Line


async def replace(connection: Connection, had: Sequence[Key], rows: Iterable[OrderLine]) -> None:
    """Instead of the lines that the orders `had`; one row a line."""
    if had:
        await connection.execute(
            """
            delete from order_lines
            where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
            """,
            *zip(*sorted(had), strict=True),
        )
    ordered = sorted(rows, key=lambda row: (row.key, row.line.line_id))
    if not ordered:
        return
    lines = [row.line for row in ordered]
    await connection.execute(
        """
        insert into order_lines (
            corp_id, mall_id, order_id, line_id, product_id, title, quantity, paid_fen,
            sku_id, outer_product_id, outer_sku_id, price_fen, discount_fen
        )
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bigint[],
            $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[]
        )
        """,
        *zip(*(row.key for row in ordered), strict=True),
        [line.line_id for line in lines],
        [line.product_id for line in lines],
        [line.title for line in lines],
        [line.quantity for line in lines],
        [line.paid_fen for line in lines],
        [line.sku_id for line in lines],
        [line.outer_product_id for line in lines],
        [line.outer_sku_id for line in lines],
        [line.price_fen for line in lines],
        [line.discount_fen for line in lines],
    )


async def of_orders(connection: Connection, keys: Sequence[Key]) -> Sequence[Row]:
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from order_lines
        where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        order by corp_id, mall_id, order_id, line_id
        """,
        *zip(*keys, strict=True),
    )
    return rows
