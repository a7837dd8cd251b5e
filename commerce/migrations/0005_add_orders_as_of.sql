-- Figures as of a moment read no later refund.
create index refunds_counted on refunds (corp_id, at) include (mall_id, order_id, amount_fen)
    where status = 'ACCEPTED';

-- The orders of a corp as they were at a moment, with what was given back of each. Orders and refunds are grouped, not
-- joined: the planner knows little of one corp among many, and joins those of a small one row by row.
create function orders_as_of(corp text, moment timestamptz) returns table (
    mall_id text,
    order_id text,
    paid_fen bigint,
    refunded_fen bigint,
    shipped_at timestamptz,
    completed_at timestamptz,
    closed_at timestamptz
) language sql stable as $$
    select
        told.mall_id,
        told.order_id,
        max(told.paid_fen),
        sum(told.refunded_fen)::bigint,
        max(told.shipped_at),
        max(told.completed_at),
        max(told.closed_at)
    from (
        select
            o.mall_id, o.order_id, o.created_at, case when o.paid_at <= moment then o.paid_fen end as paid_fen,
            null::bigint as refunded_fen, o.shipped_at, o.completed_at, o.closed_at
        from orders o
        where o.corp_id = corp and o.created_at <= moment
        union all
        select r.mall_id, r.order_id, null, null, r.amount_fen, null, null, null
        from refunds r
        where r.corp_id = corp and r.status = 'ACCEPTED' and r.at <= moment
    ) told
    group by told.mall_id, told.order_id
    -- Not those of which only the refund was known.
    having max(told.created_at) is not null
$$;
