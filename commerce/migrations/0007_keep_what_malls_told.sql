-- What malls told of each order, message by message, for people to read.
create table told_of_orders (
    corp_id text not null,
    mall_id text not null,
    order_id text not null,
    -- The message's own id, however often it was read anew; of its readings the highest counts.
    message_id text not null,
    version bigint not null,
    kind text not null,
    -- The state that it told, as in order_status; null: none.
    status text,
    at timestamptz not null,
    arrived_at timestamptz not null,
    currency text,
    paid_fen bigint,
    refunded_fen bigint,
    primary key (corp_id, mall_id, order_id, message_id)
);
