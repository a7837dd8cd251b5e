-- Lock order: relations, identifiers, edges, customers, contacts, staff. Always sorted by key.

-- What happened between an employee and a contact; append-only.
create table follow_events (
    corp_id text not null,
    fact_id text not null,
    contact_id uuid not null,
    userid text not null,
    kind text not null check (kind in ('added', 'deleted_by_staff', 'deleted_by_customer')),
    by_transfer boolean not null default false,
    at timestamptz not null,
    primary key (corp_id, fact_id)
);
create index follow_events_pair on follow_events (corp_id, contact_id, userid);

-- A follow relation as its events make it.
create table relations (
    corp_id text not null,
    contact_id uuid not null,
    userid text not null,
    alive boolean not null default false,
    added_at timestamptz,
    ended_at timestamptz,
    version bigint not null default 0,
    primary key (corp_id, contact_id, userid)
);
create index relations_living on relations (corp_id, userid, contact_id) where alive;

create table customers (
    corp_id text not null,
    customer_id uuid not null,
    created_at timestamptz not null default now(),
    merged_into uuid,
    primary key (corp_id, customer_id)
);
create index customers_merged on customers (corp_id, merged_into) where merged_into is not null;

create table identifiers (
    corp_id text not null,
    identifier_id uuid not null,
    kind text not null,
    sealed bytea not null,
    -- Null while a transaction is deciding, and for a quarantined value: it names nobody.
    customer_id uuid,
    quarantined boolean not null default false,
    first_seen timestamptz not null default now(),
    primary key (corp_id, identifier_id)
);
create index identifiers_customer on identifiers (corp_id, customer_id);

-- "These two are one person", once per direction; `at` is the earliest time anybody said so.
create table edges (
    corp_id text not null,
    from_id uuid not null,
    to_id uuid not null,
    at timestamptz not null,
    source text not null,
    primary key (corp_id, from_id, to_id)
);

-- Edges that were refused, since they would have made one person of two.
create table conflicts (
    corp_id text not null,
    from_id uuid not null,
    to_id uuid not null,
    reason text not null,
    primary key (corp_id, from_id, to_id)
);

create sequence assignment_versions;

create table contacts (
    corp_id text not null,
    contact_id uuid not null,
    sealed_name bytea not null,
    version bigint not null,
    primary key (corp_id, contact_id)
);

create table staff (
    corp_id text not null,
    userid text not null,
    sealed_name bytea not null,
    -- HMAC of name and departments: what tells a change without opening anything.
    fingerprint text not null,
    department_ids bigint[] not null,
    active boolean not null,
    version bigint not null,
    primary key (corp_id, userid)
);

create table roles (
    corp_id text not null,
    userid text not null,
    role text not null check (role in ('ADMIN', 'FRONTLINE')),
    primary key (corp_id, userid)
);

create table api_keys (
    corp_id text not null,
    api_key_id uuid not null,
    name text not null,
    digest bytea not null,
    created_at timestamptz not null default now(),
    revoked_at timestamptz,
    primary key (corp_id, api_key_id)
);

-- What a customer's orders are worth, as commerce last said.
create table order_values (
    corp_id text not null,
    mall_id text not null,
    order_id text not null,
    buyer_id uuid not null,
    -- Null while unpaid.
    paid_fen bigint,
    refunded_fen bigint not null,
    version bigint not null,
    primary key (corp_id, mall_id, order_id)
);
create index order_values_buyer on order_values (corp_id, buyer_id);

-- Events that we have no message for yet, counted.
create table unknown_events (
    corp_id text not null,
    event text not null,
    change_type text not null,
    seen bigint not null,
    primary key (corp_id, event, change_type)
);
