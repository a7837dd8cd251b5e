-- What counting refunds gave back; null: nothing. Triggers keep it, so that it holds for what the release before writes.
alter table orders add column given_back_fen bigint;

create function give_back_of_inserted_refunds() returns trigger language plpgsql as $$
begin
    update orders o
    set given_back_fen = given_back.fen
    from (
        select distinct corp_id, mall_id, order_id
        from fresh
    ) k
    cross join lateral (
        select sum(r.amount_fen)::bigint as fen
        from refunds r
        where (r.corp_id, r.mall_id, r.order_id) = (k.corp_id, k.mall_id, k.order_id) and r.status = 'ACCEPTED'
    ) given_back
    where (o.corp_id, o.mall_id, o.order_id) = (k.corp_id, k.mall_id, k.order_id)
        and o.given_back_fen is distinct from given_back.fen;
    return null;
end $$;

create function give_back_of_updated_refunds() returns trigger language plpgsql as $$
begin
    update orders o
    set given_back_fen = given_back.fen
    from (
        select corp_id, mall_id, order_id
        from fresh
        union
        select corp_id, mall_id, order_id
        from stale
    ) k
    cross join lateral (
        select sum(r.amount_fen)::bigint as fen
        from refunds r
        where (r.corp_id, r.mall_id, r.order_id) = (k.corp_id, k.mall_id, k.order_id) and r.status = 'ACCEPTED'
    ) given_back
    where (o.corp_id, o.mall_id, o.order_id) = (k.corp_id, k.mall_id, k.order_id)
        and o.given_back_fen is distinct from given_back.fen;
    return null;
end $$;

create trigger refunds_inserted_give_back after insert on refunds
referencing new table as fresh for each statement execute function give_back_of_inserted_refunds();

create trigger refunds_updated_give_back after update on refunds
referencing old table as stale new table as fresh for each statement execute function give_back_of_updated_refunds();

-- What stands there already. Called by 0008, when nobody is locked out any more: it may take long.
create procedure give_back_what_was_refunded() language plpgsql as $$
declare
    corps text[] := '{}';
    malls text[] := '{}';
    orders_there text[] := '{}';
begin
    loop
        select
            array_agg(k.corp_id order by k.corp_id, k.mall_id, k.order_id),
            array_agg(k.mall_id order by k.corp_id, k.mall_id, k.order_id),
            array_agg(k.order_id order by k.corp_id, k.mall_id, k.order_id)
        into corps, malls, orders_there
        from (
            select distinct corp_id, mall_id, order_id
            from refunds
            where (corp_id, mall_id, order_id) > (
                    coalesce(corps[cardinality(corps)], ''),
                    coalesce(malls[cardinality(malls)], ''),
                    coalesce(orders_there[cardinality(orders_there)], '')
                )
                and status = 'ACCEPTED'
            order by corp_id, mall_id, order_id
            limit 1000
        ) k;
        exit when corps is null;
        -- Before the refunds are read, so that none comes in between.
        perform
        from orders
        where (corp_id, mall_id, order_id) in (select * from unnest(corps, malls, orders_there))
        order by corp_id, mall_id, order_id
        for update;
        update orders o
        set given_back_fen = given_back.fen
        from (
            select corp_id, mall_id, order_id, sum(amount_fen)::bigint as fen
            from refunds
            where (corp_id, mall_id, order_id) in (select * from unnest(corps, malls, orders_there))
                and status = 'ACCEPTED'
            group by corp_id, mall_id, order_id
        ) given_back
        where (o.corp_id, o.mall_id, o.order_id) = (given_back.corp_id, given_back.mall_id, given_back.order_id)
            and o.given_back_fen is distinct from given_back.fen;
        commit;
    end loop;
end $$;
