-- Facts that only a later release reads. On the server they would fill the places for facts that are not acknowledged.
create table later_facts (
    corp_id text not null,
    durable text not null,
    fact_id text not null,
    subject text not null,
    headers jsonb not null,
    payload bytea not null,
    position bigint generated always as identity,
    at timestamptz not null default now(),
    primary key (corp_id, durable, fact_id)
);
create index later_facts_position on later_facts (durable, position);
