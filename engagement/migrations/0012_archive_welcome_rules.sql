-- Rules that apply no more. A table of their own: the release before applies whatever stands in welcome_rules, and a
-- channel has one rule there.
create table archived_welcome_rules (
    corp_id text not null,
    welcome_rule_id uuid not null,
    channel_id uuid,
    text text not null,
    link jsonb,
    created_at timestamptz not null,
    revision bigint not null,
    archived_at timestamptz not null default now(),
    primary key (corp_id, welcome_rule_id)
);
create index archived_welcome_rules_of_channel on archived_welcome_rules (corp_id, channel_id, welcome_rule_id);
