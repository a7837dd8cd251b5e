-- Channels and live codes change and are archived. The release before writes none of these columns.

alter table channels
    add column archived_at timestamptz,
    add column revision bigint not null default 1;
create index channels_created on channels (corp_id, created_at, channel_id);

alter table live_codes
    add column archived_at timestamptz,
    add column revision bigint not null default 1,
    -- What WeCom was told last; null: what the row says.
    add column told_name text,
    add column told_userids text[],
    -- Since when the members are as they were given; null: since the beginning.
    add column given_at timestamptz,
    -- Pauses that are over, in whole seconds as WeCom tells an add's time.
    add column past_pauses tstzmultirange not null default '{}';
create index live_codes_created on live_codes (corp_id, created_at, live_code_id);
create index live_codes_name on live_codes (corp_id, name, live_code_id);
