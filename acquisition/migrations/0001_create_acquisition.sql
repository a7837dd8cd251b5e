-- Lock order: contacts_touched, touches, channels, live_codes. Always sorted by key.

create table channels (
    corp_id text not null,
    channel_id uuid not null,
    name text not null,
    is_default boolean not null default false,
    created_at timestamptz not null default now(),
    primary key (corp_id, channel_id),
    unique (corp_id, name)
);
create unique index channels_default on channels (corp_id) where is_default;

create table live_codes (
    corp_id text not null,
    live_code_id uuid not null,
    channel_id uuid not null,
    name text not null,
    userids text[] not null,
    -- Never reused: an old event may still name it.
    state text not null,
    status text not null default 'PENDING' check (status in ('PENDING', 'ACTIVE', 'PAUSED', 'FAILED')),
    config_id text,
    qr_code text,
    failure text,
    created_at timestamptz not null default now(),
    paused_at timestamptz,
    primary key (corp_id, live_code_id),
    foreign key (corp_id, channel_id) references channels (corp_id, channel_id),
    unique (corp_id, state)
);

-- One row per contact that was ever added: what two handlers meet at.
create table contacts_touched (
    corp_id text not null,
    contact_id uuid not null,
    primary key (corp_id, contact_id)
);

-- One row per add event.
create table touches (
    corp_id text not null,
    touch_id text not null,
    contact_id uuid not null,
    sealed_contact bytea not null,
    userid text not null,
    channel_id uuid not null,
    live_code_id uuid,
    -- Why it went to the default channel.
    fallback text check (fallback in ('ABSENT', 'UNKNOWN', 'STALE')),
    half boolean not null,
    sealed_welcome_code bytea not null,
    added_at timestamptz not null,
    arrived_at timestamptz not null,
    kind text,
    version bigint not null default 0,
    primary key (corp_id, touch_id)
);
create index touches_contact on touches (corp_id, contact_id);
