-- Who said that two identifiers are one person, once per source: its earliest word. An edge counts while one piece is
-- not revoked; one that has none here was written by the release before, and counts.
create table edge_evidence (
    corp_id text not null,
    -- a_id < b_id
    a_id uuid not null,
    b_id uuid not null,
    source text not null,
    fact_id text not null,
    at timestamptz not null,
    revoked_by text,
    revoked_at timestamptz,
    primary key (corp_id, a_id, b_id, source)
);
-- Set while all evidence of the edge is revoked.
alter table edges add column revoked_at timestamptz;

-- "These two are not one person", whatever links them.
create table separations (
    corp_id text not null,
    separation_id uuid not null,
    -- a_id < b_id
    a_id uuid not null,
    b_id uuid not null,
    note text not null,
    declared_by text not null,
    declared_at timestamptz not null default now(),
    undone_by text,
    undone_at timestamptz,
    primary key (corp_id, separation_id)
);
create unique index separations_living on separations (corp_id, a_id, b_id) where undone_at is null;

-- What a corp has set for a kind of identifier, in place of the defaults (identity.domain.policies).
create table identifier_policies (
    corp_id text not null,
    kind text not null,
    priority integer not null,
    most_per_customer integer not null,
    most_customers integer not null,
    -- Ids of values that name nobody.
    denied uuid[] not null default '{}',
    revision bigint not null default 1,
    set_by text not null,
    set_at timestamptz not null default now(),
    primary key (corp_id, kind)
);
