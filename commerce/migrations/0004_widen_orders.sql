-- What malls tell of an order beyond its money. Null: taken by a release that did not keep it.
alter table orders
    -- The newest message that names a buyer, and the lowest that states the currency (null: the currency is settled).
    add column buyer_rank text,
    add column currency_rank text,
    add column province text,
    add column city text,
    add column county text,
    add column source text,
    add column channel text;

alter table order_lines
    add column sku_id text,
    add column outer_product_id text,
    add column outer_sku_id text,
    add column price_fen bigint,
    add column discount_fen bigint;

-- Messages that state an order's money, for as long as an earlier one may still come and say that they were wrong.
create table order_messages (
    corp_id text not null,
    mall_id text not null,
    order_id text not null,
    fact_id text not null,
    -- As in orders.detail_rank.
    rank text not null,
    currency text not null,
    type text not null,
    -- Without the sealed message of the mall.
    payload bytea not null,
    taken_at timestamptz not null default now(),
    primary key (corp_id, mall_id, order_id, fact_id)
);
create index order_messages_age on order_messages using brin (taken_at);

alter table refunds
    add column currency text,
    add column reason text,
    -- Null: taken by a release that told nobody of refunds.
    add column arrived_at timestamptz;

-- What was given back for which line. The line may not be known (yet).
create table refund_lines (
    corp_id text not null,
    mall_id text not null,
    refund_id text not null,
    line_id text not null,
    amount_fen bigint not null,
    -- 0: the mall does not say.
    quantity int not null,
    primary key (corp_id, mall_id, refund_id, line_id)
);

-- Mall messages that nobody reads yet, counted.
create table unread_messages (
    corp_id text not null,
    mall_id text not null,
    kind text not null,
    messages bigint not null,
    first_arrived_at timestamptz not null,
    last_arrived_at timestamptz not null,
    primary key (corp_id, mall_id, kind)
);

-- Under which userids a member was known before.
create table staff_renames (
    corp_id text not null,
    userid text not null,
    former_userid text not null,
    at timestamptz not null,
    primary key (corp_id, userid, former_userid)
);

alter table attributions
    -- All that the fact states beside what is there already.
    add column buyer_id uuid,
    add column ordered_at timestamptz,
    add column paid_at timestamptz,
    -- The version that this release wrote. The release before attributes by another rule: rows whose version it raised
    -- are attributed anew.
    add column attributed_version bigint;
create index attributions_of_release_before on attributions (corp_id, mall_id, order_id)
    where attributed_version is distinct from version;

-- Lists read backwards from a place; in the other index two columns run the other way.
create index orders_page on orders (corp_id, created_at, mall_id, order_id);

-- The status of an order, in one place: what was paid and refunded is given as it was at `moment`.
create function order_status(
    paid_fen bigint,
    refunded_fen bigint,
    shipped_at timestamptz,
    completed_at timestamptz,
    closed_at timestamptz,
    moment timestamptz
) returns text language sql immutable as $$
    select case
        when paid_fen is null and closed_at <= moment then 'CLOSED'
        when paid_fen > 0 and refunded_fen >= paid_fen then 'REFUNDED'
        when refunded_fen > 0 then 'PARTLY_REFUNDED'
        when completed_at <= moment then 'COMPLETED'
        when shipped_at <= moment then 'SHIPPED'
        when paid_fen is not null then 'PAID'
        else 'CREATED'
    end
$$;
