-- What every service needs beside its own tables. Runs in the service's schema.

-- Facts that a durable has taken: no row twice, so no effect twice.
create table inbox (
    corp_id text not null,
    durable text not null,
    fact_id text not null,
    taken_at timestamptz not null default now(),
    primary key (corp_id, durable, fact_id)
);

-- Facts that were committed and are not yet confirmed by JetStream.
create table outbox (
    corp_id text not null,
    fact_id uuid not null,
    subject text not null,
    headers jsonb not null,
    payload bytea not null,
    created_at timestamptz not null default now(),
    primary key (corp_id, fact_id)
);
create index outbox_age on outbox (created_at);

-- Facts that cannot be taken, with the reason; replayed by command.
create table dead_letters (
    corp_id text not null,
    durable text not null,
    fact_id text not null,
    subject text not null,
    headers jsonb not null,
    payload bytea not null,
    reason text not null,
    detail text not null,
    at timestamptz not null default now(),
    replayed_at timestamptz,
    primary key (corp_id, durable, fact_id)
);

-- Work to be done at a time, and effects outside that must happen once.
create table due_rows (
    corp_id text not null,
    kind text not null,
    key text not null,
    -- Raised when the row is asked for again while it is being worked on.
    generation int not null default 1,
    status text not null default 'due' check (status in ('due', 'attempting', 'done')),
    due_at timestamptz not null,
    -- After this moment the effect is pointless.
    deadline timestamptz,
    lease_until timestamptz,
    attempts int not null default 0,
    detail jsonb not null default '{}',
    outcome text,
    done_at timestamptz,
    primary key (corp_id, kind, key)
);
create index due_rows_open on due_rows (kind, due_at) where status <> 'done';
create index due_rows_done on due_rows (done_at) where status = 'done';

-- Which customer an identifier belongs to, as identity last said.
create table customer_identifiers (
    corp_id text not null,
    identifier_id uuid not null,
    -- Null: a value that names nobody.
    customer_id uuid,
    version bigint not null,
    primary key (corp_id, identifier_id)
);
create index customer_identifiers_customer on customer_identifiers (corp_id, customer_id);
