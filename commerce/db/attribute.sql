-- The orders $1 to $3, by the corps' windows $4 to $6; returns those of which anything changed that the fact states.
with wanted as (
    select o.*, w.days, w.zone, coalesce(o.paid_at, o.created_at) as moment
    from unnest($1::text[], $2::text[], $3::text[]) as k(corp_id, mall_id, order_id)
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (k.corp_id, k.mall_id, k.order_id)
    join unnest($4::text[], $5::int[], $6::text[]) as w(corp_id, days, zone) on w.corp_id = o.corp_id
    where o.created_at is not null
),
found as (
    select
        o.corp_id, o.mall_id, o.order_id, o.buyer_id, o.created_at as ordered_at, o.paid_at,
        employee.userid, employee.contact_id, channel.channel_id,
        o.paid_fen is not null as paid,
        coalesce(o.paid_fen, 0) as paid_fen,
        coalesce(refunded.fen, 0)::bigint as refunded_fen
    from wanted o
    left join customer_identifiers i on (i.corp_id, i.identifier_id) = (o.corp_id, o.buyer_id)
    -- Whoever of the customer's living relations was added last.
    left join lateral (
        select s.userid, s.contact_id
        from customer_identifiers c
        join relation_spans s on (s.corp_id, s.contact_id) = (c.corp_id, c.identifier_id)
        where c.corp_id = o.corp_id
            and c.customer_id = i.customer_id
            and s.added_at <= o.moment
            and (s.ended_at is null or s.ended_at > o.moment)
        order by s.added_at desc, s.userid collate "C", s.contact_id
        limit 1
    ) employee on true
    -- The customer's last touch inside the window, which is counted in business days of the corp's zone.
    left join lateral (
        select t.channel_id
        from customer_identifiers c
        join touches t on (t.corp_id, t.contact_id) = (c.corp_id, c.identifier_id)
        where c.corp_id = o.corp_id
            and c.customer_id = i.customer_id
            and not t.confirmation
            and t.added_at <= o.moment
            and (o.moment at time zone o.zone)::date <= (t.added_at at time zone o.zone)::date + o.days
        order by t.added_at desc, t.touch_id collate "C" desc
        limit 1
    ) channel on true
    left join lateral (
        select sum(r.amount_fen) as fen
        from refunds r
        where (r.corp_id, r.mall_id, r.order_id) = (o.corp_id, o.mall_id, o.order_id) and r.status = 'ACCEPTED'
    ) refunded on true
)
insert into attributions as a (
    corp_id, mall_id, order_id, buyer_id, ordered_at, paid_at, userid, contact_id, channel_id,
    paid, paid_fen, refunded_fen, version, attributed_version
)
select
    corp_id, mall_id, order_id, buyer_id, ordered_at, paid_at, userid, contact_id, channel_id,
    paid, paid_fen, refunded_fen, 1, 1
from found
order by corp_id, mall_id, order_id
on conflict (corp_id, mall_id, order_id) do update set
    buyer_id = excluded.buyer_id,
    ordered_at = excluded.ordered_at,
    paid_at = excluded.paid_at,
    userid = excluded.userid,
    contact_id = excluded.contact_id,
    channel_id = excluded.channel_id,
    paid = excluded.paid,
    paid_fen = excluded.paid_fen,
    refunded_fen = excluded.refunded_fen,
    version = a.version + 1,
    attributed_version = a.version + 1
-- All that the fact states; and whatever the release before wrote meanwhile.
where (
    a.attributed_version, a.buyer_id, a.ordered_at, a.paid_at, a.userid, a.contact_id, a.channel_id,
    a.paid, a.paid_fen, a.refunded_fen
) is distinct from (
    a.version, excluded.buyer_id, excluded.ordered_at, excluded.paid_at, excluded.userid, excluded.contact_id,
    excluded.channel_id, excluded.paid, excluded.paid_fen, excluded.refunded_fen
)
returning *
