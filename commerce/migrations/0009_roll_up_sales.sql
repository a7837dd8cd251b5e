-- Sales by day (chassis.kernel.day_rollup). Triggers make the marks, so that what the release before writes counts too;
-- what was there before is marked when a service starts.

drop procedure give_back_what_was_refunded();

create table sale_days (
    corp_id text not null,
    day date not null,
    mall_id text not null,
    -- Who and what earned the orders, as attributed now; empty for nobody and nothing.
    channel_id text not null,
    userid text not null,
    currency text not null,
    -- Orders paid on the day, and what was given back on it, of whatever order.
    paid_orders bigint not null default 0,
    paid_fen bigint not null default 0,
    refunded_fen bigint not null default 0,
    primary key (corp_id, day, mall_id, channel_id, userid, currency)
);
create index sale_days_staff on sale_days (corp_id, userid, day);

create table sale_day_marks (
    corp_id text not null,
    mark_id bigint generated always as identity,
    mall_id text not null,
    -- All days of one order as it is now …
    order_id text,
    -- … or one day of those who earned an order before, in its currency of then.
    channel_id text,
    userid text,
    currency text,
    at timestamptz,
    primary key (corp_id, mark_id)
);

-- What an order counts as is the orders' currency, the attribution's payment and owner, and the refunds' moments. Each
-- trigger marks the days of the order as it was before its change, with what the other tables say then: the order is
-- locked, so that no state lies between two marks.

create function mark_inserted_attributions() returns trigger language plpgsql as $$
begin
    insert into sale_day_marks (corp_id, mall_id, order_id)
    select corp_id, mall_id, order_id
    from fresh
    where paid
    order by corp_id, mall_id, order_id;
    return null;
end $$;

create function mark_updated_attributions() returns trigger language plpgsql as $$
begin
    with changed as (
        select s.*
        from fresh f
        join stale s on (s.corp_id, s.mall_id, s.order_id) = (f.corp_id, f.mall_id, f.order_id)
        where (f.paid or s.paid)
            and (f.paid, f.paid_fen, f.paid_at, f.userid, f.channel_id)
                is distinct from (s.paid, s.paid_fen, s.paid_at, s.userid, s.channel_id)
    ),
    former as (
        select c.corp_id, c.mall_id, c.order_id, c.channel_id, c.userid, moments.at
        from changed c
        cross join lateral (
            select c.paid_at as at
            where c.paid
            union
            select r.at
            from refunds r
            where (r.corp_id, r.mall_id, r.order_id) = (c.corp_id, c.mall_id, c.order_id)
        ) moments
    )
    insert into sale_day_marks (corp_id, mall_id, order_id, channel_id, userid, currency, at)
    select corp_id, mall_id, order_id, null::text, null::text, null::text, null::timestamptz
    from changed
    union all
    select f.corp_id, f.mall_id, null, coalesce(f.channel_id::text, ''), coalesce(f.userid, ''), o.currency, f.at
    from former f
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (f.corp_id, f.mall_id, f.order_id)
    where f.at is not null;
    return null;
end $$;

create function mark_inserted_refunds() returns trigger language plpgsql as $$
begin
    insert into sale_day_marks (corp_id, mall_id, order_id)
    select distinct corp_id, mall_id, order_id
    from fresh
    where status = 'ACCEPTED'
    order by corp_id, mall_id, order_id;
    return null;
end $$;

create function mark_updated_refunds() returns trigger language plpgsql as $$
begin
    with changed as (
        select f.order_id as order_id_now, s.*
        from fresh f
        join stale s on (s.corp_id, s.mall_id, s.refund_id) = (f.corp_id, f.mall_id, f.refund_id)
        where 'ACCEPTED' in (f.status, s.status)
            and (f.status, f.amount_fen, f.at, f.order_id) is distinct from (s.status, s.amount_fen, s.at, s.order_id)
    )
    insert into sale_day_marks (corp_id, mall_id, order_id, channel_id, userid, currency, at)
    select distinct corp_id, mall_id, order_id_now, null::text, null::text, null::text, null::timestamptz
    from changed
    union all
    select c.corp_id, c.mall_id, null, coalesce(a.channel_id::text, ''), coalesce(a.userid, ''), o.currency, c.at
    from changed c
    join orders o on (o.corp_id, o.mall_id, o.order_id) = (c.corp_id, c.mall_id, c.order_id)
    left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (c.corp_id, c.mall_id, c.order_id);
    return null;
end $$;

-- Of paid orders: those in another currency by now, and those of guests, whom nothing attributes. An order is inserted
-- with nothing but its key.
create function mark_updated_orders() returns trigger language plpgsql as $$
begin
    with changed as (
        select s.*
        from fresh f
        join stale s on (s.corp_id, s.mall_id, s.order_id) = (f.corp_id, f.mall_id, f.order_id)
        where coalesce(f.paid_at, s.paid_at) is not null
            and (
                f.currency is distinct from s.currency
                or (
                    (f.buyer_id is null or s.buyer_id is null)
                    and (f.buyer_id, f.paid_fen, f.paid_at) is distinct from (s.buyer_id, s.paid_fen, s.paid_at)
                )
            )
    ),
    former as (
        select
            c.corp_id, c.mall_id, coalesce(a.channel_id::text, '') as channel_id, coalesce(a.userid, '') as userid,
            c.currency, moments.at
        from changed c
        left join attributions a on (a.corp_id, a.mall_id, a.order_id) = (c.corp_id, c.mall_id, c.order_id)
        cross join lateral (
            select coalesce(a.paid_at, c.paid_at) as at
            union
            select r.at
            from refunds r
            where (r.corp_id, r.mall_id, r.order_id) = (c.corp_id, c.mall_id, c.order_id)
        ) moments
        where c.currency is not null
    )
    insert into sale_day_marks (corp_id, mall_id, order_id, channel_id, userid, currency, at)
    select corp_id, mall_id, order_id, null::text, null::text, null::text, null::timestamptz
    from changed
    union all
    select corp_id, mall_id, null, channel_id, userid, currency, at
    from former
    where at is not null;
    return null;
end $$;

-- In the order in which writers lock these tables.
create trigger orders_updated after update on orders
referencing old table as stale new table as fresh for each statement execute function mark_updated_orders();

create trigger refunds_inserted after insert on refunds
referencing new table as fresh for each statement execute function mark_inserted_refunds();

create trigger refunds_updated after update on refunds
referencing old table as stale new table as fresh for each statement execute function mark_updated_refunds();

create trigger attributions_inserted after insert on attributions
referencing new table as fresh for each statement execute function mark_inserted_attributions();

create trigger attributions_updated after update on attributions
referencing old table as stale new table as fresh for each statement execute function mark_updated_attributions();
