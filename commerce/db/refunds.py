"""Refunds and what they give back for which line. A refund id is one refund, and its earliest message speaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chassis.errors import Conflict
from chassis.pool import Connection, Row
from commerce.db.orders import Key
from commerce.domain.refunds import Refund

RefundKey = tuple[str, str, str]  # corp, mall, refund
# Begins the ids of messages that the gateway has read anew (gateway.reread); the door's own are hexadecimal.
READ_ANEW = "r"
Refunds = dict[RefundKey, Row]


@dataclass(frozen=True, slots=True)
class Told:
    """A refund, and the fact that told of it as it came, for the dead letters."""

    order: Key
    refund: Refund
    fact_id: str
    subject: str
    headers: str
    payload: bytes

    @property
    def key(self) -> RefundKey:
        return self.order[0], self.order[1], self.refund.refund_id

    @property
    def is_read_anew(self) -> bool:
        return self.fact_id.startswith(READ_ANEW)


async def save(connection: Connection, messages: Sequence[Told], known: Refunds) -> None:
    """Two messages about one refund (Youzan has two families): the earlier one speaks, whichever came first. Of one
    message that was read anew, the latest reading does.

    `known` is what was known of these refunds. Raises Conflict when another order's transaction was faster.
    """
    earliest: dict[RefundKey, Told] = {}
    told_in_turn = sorted((one for one in messages if not one.is_read_anew), key=lambda one: one.fact_id)
    anew = sorted((one for one in messages if one.is_read_anew), key=lambda one: one.fact_id, reverse=True)
    for told in sorted([*anew, *told_in_turn], key=lambda one: (one.key, one.refund.at, not one.is_read_anew)):
        earliest.setdefault(told.key, told)
    ordered = list(earliest.values())
    rows = await connection.fetch(
        """
        insert into refunds as r (
            corp_id, mall_id, refund_id, order_id, amount_fen, currency, at, arrived_at, reason,
            fact_id, subject, headers, payload
        )
        select * from unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::timestamptz[],
            $8::timestamptz[], $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::bytea[]
        )
        on conflict (corp_id, mall_id, refund_id) do update set
            order_id = excluded.order_id,
            amount_fen = excluded.amount_fen,
            currency = excluded.currency,
            at = excluded.at,
            arrived_at = excluded.arrived_at,
            reason = excluded.reason,
            fact_id = excluded.fact_id,
            subject = excluded.subject,
            headers = excluded.headers,
            payload = excluded.payload
        where excluded.at < r.at
            or excluded.at = r.at and case
                when excluded.fact_id like 'r%' and r.fact_id like 'r%' then excluded.fact_id > r.fact_id
                when excluded.fact_id like 'r%' or r.fact_id like 'r%' then excluded.fact_id like 'r%'
                else excluded.fact_id < r.fact_id
            end
        returning corp_id, mall_id, refund_id, xmax <> 0 as replaced
        """,
        *zip(*(told.key for told in ordered), strict=True),
        [told.order[2] for told in ordered],
        [told.refund.amount_fen for told in ordered],
        [told.refund.currency for told in ordered],
        [told.refund.at for told in ordered],
        [told.refund.arrived_at for told in ordered],
        [told.refund.reason for told in ordered],
        [told.fact_id for told in ordered],
        [told.subject for told in ordered],
        [told.headers for told in ordered],
        [told.payload for told in ordered],
    )
    speaking = sorted(_key(row) for row in rows)
    if any(row["replaced"] and _key(row) not in known for row in rows):
        raise Conflict("REFUND_MOVED", "the refund was told under another order meanwhile")
    if speaking:
        await _replace_lines(connection, {key: earliest[key].refund for key in speaking})


async def _replace_lines(connection: Connection, refunds: Mapping[RefundKey, Refund]) -> None:
    await connection.execute(
        """
        delete from refund_lines
        where (corp_id, mall_id, refund_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        """,
        *zip(*refunds, strict=True),
    )
    rows = [(key, line) for key, refund in refunds.items() for line in refund.lines]
    if rows:
        await connection.execute(
            """
            insert into refund_lines (corp_id, mall_id, refund_id, line_id, amount_fen, quantity)
            select corp_id, mall_id, refund_id, line_id, sum(amount_fen), sum(quantity)
            from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::int[])
                as t(corp_id, mall_id, refund_id, line_id, amount_fen, quantity)
            group by corp_id, mall_id, refund_id, line_id
            order by corp_id, mall_id, refund_id, line_id
            """,
            *zip(*(key for key, _ in rows), strict=True),
            [line.line_id for _, line in rows],
            [line.amount_fen for _, line in rows],
            [line.quantity for _, line in rows],
        )


def _key(row: Row) -> RefundKey:
    return row["corp_id"], row["mall_id"], row["refund_id"]


async def by_id(connection: Connection, keys: Sequence[RefundKey]) -> Refunds:
    """Those that are known."""
    if not keys:
        return {}
    rows = await connection.fetch(
        """
        select *
        from refunds
        where (corp_id, mall_id, refund_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        """,
        *zip(*sorted(set(keys)), strict=True),
    )
    return {_key(row): row for row in rows}


async def of_orders(connection: Connection, keys: Sequence[Key]) -> Refunds:
    rows = await connection.fetch(
        """
        select *
        from refunds
        where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        order by corp_id, mall_id, order_id, at, refund_id
        """,
        *zip(*keys, strict=True),
    )
    return {_key(row): row for row in rows}


async def set_statuses(connection: Connection, statuses: Mapping[RefundKey, str]) -> None:
    ordered = sorted(statuses)
    if ordered:
        await connection.execute(
            """
            update refunds r
            set status = t.status
            from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t(corp_id, mall_id, refund_id, status)
            where (r.corp_id, r.mall_id, r.refund_id) = (t.corp_id, t.mall_id, t.refund_id)
            """,
            *zip(*ordered, strict=True),
            [statuses[key] for key in ordered],
        )


async def to_tell(connection: Connection, keys: Sequence[Key]) -> Sequence[Row]:
    """Refunds of these orders that count; not those that a release took which told nobody of refunds."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select *
        from refunds
        where (corp_id, mall_id, order_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
            and status = 'ACCEPTED'
            and arrived_at is not null
        order by corp_id, mall_id, refund_id
        """,
        *zip(*keys, strict=True),
    )
    return rows


async def lines_of(connection: Connection, keys: Sequence[RefundKey]) -> Sequence[Row]:
    """With `known`: whether the order has such a line."""
    rows: Sequence[Row] = await connection.fetch(
        """
        select l.*, o.line_id is not null as known
        from refund_lines l
        join refunds r on (r.corp_id, r.mall_id, r.refund_id) = (l.corp_id, l.mall_id, l.refund_id)
        left join order_lines o
            on (o.corp_id, o.mall_id, o.order_id, o.line_id) = (r.corp_id, r.mall_id, r.order_id, l.line_id)
        where (l.corp_id, l.mall_id, l.refund_id) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        order by l.corp_id, l.mall_id, l.refund_id, l.line_id
        """,
        *zip(*keys, strict=True),
    )
    return rows
