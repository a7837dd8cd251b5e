-- Lock order: contacts, welcomes, staff, alerts, app_messages, due_rows. Always sorted by key.

create table welcome_rules (
    corp_id text not null,
    welcome_rule_id uuid not null,
    -- Null: for channels without a rule of their own.
    channel_id uuid,
    text text not null,
    link jsonb,
    created_at timestamptz not null default now(),
    primary key (corp_id, welcome_rule_id),
    unique nulls not distinct (corp_id, channel_id)
);

-- Names, as identity last said; a row without one is what two handlers meet at.
create table contacts (
    corp_id text not null,
    contact_id uuid not null,
    sealed_name bytea,
    version bigint not null default 0,
    primary key (corp_id, contact_id)
);

create table staff (
    corp_id text not null,
    userid text not null,
    sealed_name bytea not null,
    version bigint not null,
    primary key (corp_id, userid)
);

-- One row per welcome code.
create table welcomes (
    corp_id text not null,
    -- Keyed hash of the welcome code.
    welcome_id uuid not null,
    contact_id uuid not null,
    userid text not null,
    channel_id uuid not null,
    sealed_code bytea not null,
    arrived_at timestamptz not null,
    deadline timestamptz not null,
    status text not null default 'OPEN' check (status in ('OPEN', 'SENT', 'LATE', 'REFUSED', 'WITHOUT_RULE')),
    errcode int,
    sent_at timestamptz,
    primary key (corp_id, welcome_id)
);
create index welcomes_waiting on welcomes (corp_id, contact_id) where status = 'OPEN';

create table alerts (
    corp_id text not null,
    alert_id text not null,
    userid text not null,
    kind text not null,
    contact_id uuid not null,
    mall_id text not null,
    order_id text not null,
    amount_fen bigint not null,
    at timestamptz not null,
    arrived_at timestamptz not null,
    status text not null default 'OPEN' check (status in ('OPEN', 'DELIVERED', 'REFUSED', 'EXPIRED')),
    message_id uuid,
    delivered_at timestamptz,
    primary key (corp_id, alert_id)
);
create index alerts_open on alerts (corp_id, userid, arrived_at) where status = 'OPEN';

-- App messages, each with the alerts inside; written before the call, so that a repetition says the same words.
create table app_messages (
    corp_id text not null,
    message_id uuid not null,
    userid text not null,
    sealed_content bytea not null,
    status text not null default 'ATTEMPTING' check (status in ('ATTEMPTING', 'SENT', 'REFUSED')),
    errcode int,
    attempted_at timestamptz not null default now(),
    primary key (corp_id, message_id)
);
create index app_messages_attempting on app_messages (corp_id, userid) where status = 'ATTEMPTING';
