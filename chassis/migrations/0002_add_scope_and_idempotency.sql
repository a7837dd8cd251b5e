-- Where members stand and what they manage, as identity last said: what row scope is computed from.
create table staff_places (
    corp_id text not null,
    userid text not null,
    active boolean not null,
    within_department_ids bigint[] not null,
    managed_department_ids bigint[] not null,
    version bigint not null,
    primary key (corp_id, userid)
);
create index staff_places_within on staff_places using gin (within_department_ids);

-- Creates that named an Idempotency-Key, and what they were answered; written in their own transaction.
create table idempotent_requests (
    corp_id text not null,
    caller text not null,
    key text not null,
    -- Keyed hash of the RPC and its request.
    request_id uuid not null,
    sealed_answer bytea not null,
    at timestamptz not null default now(),
    primary key (corp_id, caller, key)
);
create index idempotent_requests_age on idempotent_requests (at);

create index dead_letters_open on dead_letters (corp_id, at, durable, fact_id) where replayed_at is null;

-- Counts the claims of a row, so that a worker that was frozen past its lease can be told from the one after it.
alter table due_rows add column claim_no bigint not null default 0;
