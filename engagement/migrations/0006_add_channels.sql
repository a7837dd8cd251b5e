-- Channels' names, as acquisition last said.
create table channels (
    corp_id text not null,
    channel_id uuid not null,
    name text not null,
    version bigint not null,
    primary key (corp_id, channel_id)
);
