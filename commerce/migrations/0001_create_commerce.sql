-- Lock order: orders, refunds, buyers, relations, relation_spans, touches, attribution_marks, attributions,
-- alerts_raised, due_rows. Always sorted by key.

-- One order; every facet is the newest message of its kind, whatever order they came in.
create table orders (
    corp_id text not null,
    mall_id text not null,
    order_id text not null,
    detail_rank text,
    buyer_id uuid,
    currency text,
    total_fen bigint,
    created_at timestamptz,
    paid_rank text,
    paid_fen bigint check (paid_fen >= 0),
    paid_at timestamptz,
    paid_arrived_at timestamptz,
    shipped_rank text,
    shipped_at timestamptz,
    completed_rank text,
    completed_at timestamptz,
    closed_rank text,
    closed_at timestamptz,
    close_reason text,
    primary key (corp_id, mall_id, order_id)
);
create index orders_buyer on orders (corp_id, buyer_id);
create index orders_newest on orders (corp_id, created_at desc, mall_id, order_id);

create table order_lines (
    corp_id text not null,
    mall_id text not null,
    order_id text not null,
    line_id text not null,
    product_id text not null,
    title text not null,
    quantity int not null,
    paid_fen bigint not null,
    primary key (corp_id, mall_id, order_id, line_id)
);

create table refunds (
    corp_id text not null,
    mall_id text not null,
    refund_id text not null,
    order_id text not null,
    amount_fen bigint not null check (amount_fen >= 0),
    at timestamptz not null,
    -- WAITING for its payment, ACCEPTED, or EXCESS above it (then it is a dead letter too).
    status text not null default 'WAITING' check (status in ('WAITING', 'ACCEPTED', 'EXCESS')),
    -- The fact as it came, for the dead letters.
    fact_id text not null,
    subject text not null,
    headers jsonb not null,
    payload bytea not null,
    primary key (corp_id, mall_id, refund_id)
);
create index refunds_order on refunds (corp_id, mall_id, order_id);

-- Buyers as malls name them; identified once the mall said who else they are.
create table buyers (
    corp_id text not null,
    buyer_id uuid not null,
    mall_id text not null,
    kind text not null,
    sealed bytea not null,
    identified_at timestamptz,
    primary key (corp_id, buyer_id)
);

-- Follow relations, as identity last said.
create table relations (
    corp_id text not null,
    contact_id uuid not null,
    userid text not null,
    version bigint not null,
    primary key (corp_id, contact_id, userid)
);
create table relation_spans (
    corp_id text not null,
    contact_id uuid not null,
    userid text not null,
    added_at timestamptz not null,
    ended_at timestamptz,
    primary key (corp_id, contact_id, userid, added_at)
);
create index relation_spans_living on relation_spans (corp_id, userid, contact_id) where ended_at is null;

-- Acquisition touches, as acquisition last said.
create table touches (
    corp_id text not null,
    touch_id text not null,
    contact_id uuid not null,
    channel_id uuid not null,
    confirmation boolean not null,
    added_at timestamptz not null,
    version bigint not null,
    primary key (corp_id, touch_id)
);
create index touches_contact on touches (corp_id, contact_id, added_at);

-- Identifiers whose orders have to be attributed anew: written with what changed, taken after its commit.
create table attribution_marks (
    corp_id text not null,
    mark_id bigint generated always as identity,
    identifier_id uuid not null,
    primary key (corp_id, mark_id)
);

create table attributions (
    corp_id text not null,
    mall_id text not null,
    order_id text not null,
    userid text,
    contact_id uuid,
    channel_id uuid,
    -- Beside the amount: an order of 0.00 is paid like any other.
    paid boolean not null,
    paid_fen bigint not null,
    refunded_fen bigint not null,
    version bigint not null,
    primary key (corp_id, mall_id, order_id)
);

-- Alerts that were stated: order, kind and recipient make the id, so that none is stated twice.
create table alerts_raised (
    corp_id text not null,
    alert_id text not null,
    primary key (corp_id, alert_id)
);
