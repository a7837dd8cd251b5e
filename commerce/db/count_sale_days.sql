-- Sales of each of the keys k (chassis.kernel.day_rollup): orders by the day of their payment, refunds by their own.
select
    told.corp_id, told.day, told.mall_id, told.channel_id, told.userid, told.currency,
    sum(told.paid_orders)::bigint as paid_orders,
    sum(told.paid_fen)::bigint as paid_fen,
    sum(told.refunded_fen)::bigint as refunded_fen
from (
    -- What an employee earned.
    select
        k.corp_id, k.day, k.mall_id, k.channel_id, k.userid, k.currency,
        1 as paid_orders, a.paid_fen, 0 as refunded_fen
    from keys k
    join attributions a
        on a.corp_id = k.corp_id
        and a.userid = k.userid
        and a.paid_at >= k.since
        and a.paid_at < k.until
        and a.mall_id = k.mall_id
        and coalesce(a.channel_id::text, '') = k.channel_id
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (a.corp_id, a.mall_id, a.order_id)
    where k.userid <> '' and a.paid and o.currency = k.currency

    union all
    -- What nobody earned.
    select
        k.corp_id, k.day, k.mall_id, k.channel_id, k.userid, k.currency,
        1, a.paid_fen, 0
    from keys k
    join attributions a
        on a.corp_id = k.corp_id
        and a.userid is null
        and a.paid_at >= k.since
        and a.paid_at < k.until
        and a.mall_id = k.mall_id
        and coalesce(a.channel_id::text, '') = k.channel_id
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (a.corp_id, a.mall_id, a.order_id)
    where k.userid = '' and a.paid and o.currency = k.currency

    union all
    -- What guests bought: nothing attributes it.
    select
        k.corp_id, k.day, k.mall_id, k.channel_id, k.userid, k.currency,
        1, o.paid_fen, 0
    from keys k
    join orders o
        on o.corp_id = k.corp_id
        and o.buyer_id is null
        and o.paid_at >= k.since
        and o.paid_at < k.until
        and o.mall_id = k.mall_id
        and o.currency = k.currency
    where k.userid = ''
        and k.channel_id = ''
        and o.paid_fen is not null
        and not exists (
            select
            from attributions a
            where (a.corp_id, a.mall_id, a.order_id) = (o.corp_id, o.mall_id, o.order_id)
        )

    union all
    -- What was given back: the day's refunds are read once, whoever the orders are.
    select
        k.corp_id, k.day, k.mall_id, k.channel_id, k.userid, k.currency,
        0, 0, r.amount_fen
    from (
        select distinct corp_id, day, since, until
        from keys
    ) d
    join refunds r
        on r.corp_id = d.corp_id
        and r.status = 'ACCEPTED'
        and r.at >= d.since
        and r.at < d.until
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (r.corp_id, r.mall_id, r.order_id)
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (r.corp_id, r.mall_id, r.order_id)
    join keys k
        on k.corp_id = d.corp_id
        and k.day = d.day
        and k.mall_id = r.mall_id
        and k.channel_id = coalesce(a.channel_id::text, '')
        and k.userid = coalesce(a.userid, '')
        and k.currency = o.currency
) told
group by told.corp_id, told.day, told.mall_id, told.channel_id, told.userid, told.currency
