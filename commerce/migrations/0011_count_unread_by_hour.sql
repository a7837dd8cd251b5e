-- Messages that nobody reads yet, by hour. A trigger keeps them, so that what the release before counts is there too.
create table unread_hours (
    corp_id text not null,
    mall_id text not null,
    -- Of the newest of those that were counted at once.
    hour timestamptz not null,
    messages bigint not null,
    primary key (corp_id, hour, mall_id)
);

create function count_inserted_unread() returns trigger language plpgsql as $$
begin
    insert into unread_hours as h (corp_id, mall_id, hour, messages)
    select corp_id, mall_id, date_trunc('hour', last_arrived_at), sum(messages)
    from fresh
    group by 1, 2, 3
    order by 1, 3, 2
    on conflict (corp_id, hour, mall_id) do update set messages = h.messages + excluded.messages;
    return null;
end $$;

create function count_updated_unread() returns trigger language plpgsql as $$
begin
    insert into unread_hours as h (corp_id, mall_id, hour, messages)
    select f.corp_id, f.mall_id, date_trunc('hour', f.last_arrived_at), sum(f.messages - s.messages)
    from fresh f
    join stale s on (s.corp_id, s.mall_id, s.kind) = (f.corp_id, f.mall_id, f.kind)
    where f.messages > s.messages
    group by 1, 2, 3
    order by 1, 3, 2
    on conflict (corp_id, hour, mall_id) do update set messages = h.messages + excluded.messages;
    return null;
end $$;

create trigger unread_messages_inserted after insert on unread_messages
referencing new table as fresh for each statement execute function count_inserted_unread();

create trigger unread_messages_updated after update on unread_messages
referencing old table as stale new table as fresh for each statement execute function count_updated_unread();
