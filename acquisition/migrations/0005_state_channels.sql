alter table channels
    -- Goes up with every change.
    add column version bigint not null default 1,
    -- The version that others were last told; null for what the release before makes, or made.
    add column stated_version bigint;
create index channels_unstated on channels (corp_id, channel_id) where stated_version is distinct from version;
