-- The release before writes neither column.
alter table touches
    -- The app whose welcome code the touch brought; 0: the corp's main one.
    add column agent_id bigint not null default 0,
    -- Its employee was told of the new friend.
    add column alerted boolean not null default false;
