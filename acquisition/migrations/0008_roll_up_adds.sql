-- Adds by day (chassis.kernel.day_rollup). Triggers make the marks, so that what the release before writes counts too;
-- what was there before is marked when a service starts.

create table add_days (
    corp_id text not null,
    day date not null,
    channel_id uuid not null,
    -- As WeCom told it; who that is by now, the renames say.
    userid text not null,
    adds bigint not null default 0,
    customers bigint not null default 0,
    primary key (corp_id, day, channel_id, userid)
);
create index add_days_staff on add_days (corp_id, userid, day);

create table add_day_marks (
    corp_id text not null,
    mark_id bigint generated always as identity,
    -- All adds of the person who has this contact, or of this customer …
    contact_id uuid,
    customer_id uuid,
    -- … or the day of one channel and employee.
    channel_id uuid,
    userid text,
    added_at timestamptz,
    primary key (corp_id, mark_id)
);

create function mark_inserted_touches() returns trigger language plpgsql as $$
begin
    insert into add_day_marks (corp_id, contact_id)
    select distinct corp_id, contact_id
    from fresh
    order by corp_id, contact_id;
    return null;
end $$;

create function mark_updated_touches() returns trigger language plpgsql as $$
begin
    insert into add_day_marks (corp_id, contact_id)
    select distinct f.corp_id, f.contact_id
    from fresh f
    join stale s on (s.corp_id, s.touch_id) = (f.corp_id, f.touch_id)
    where (f.kind, f.channel_id, f.userid, f.added_at) is distinct from (s.kind, s.channel_id, s.userid, s.added_at)
    order by f.corp_id, f.contact_id;

    insert into add_day_marks (corp_id, channel_id, userid, added_at)
    select distinct s.corp_id, s.channel_id, s.userid, s.added_at
    from fresh f
    join stale s on (s.corp_id, s.touch_id) = (f.corp_id, f.touch_id)
    where (f.channel_id, f.userid, f.added_at) is distinct from (s.channel_id, s.userid, s.added_at);
    return null;
end $$;

create function mark_assigned_identifiers() returns trigger language plpgsql as $$
begin
    insert into add_day_marks (corp_id, customer_id)
    select distinct corp_id, customer_id
    from fresh
    where customer_id is not null
    order by corp_id, customer_id;
    return null;
end $$;

create function mark_reassigned_identifiers() returns trigger language plpgsql as $$
begin
    insert into add_day_marks (corp_id, customer_id)
    select distinct moved.corp_id, moved.customer_id
    from (
        select f.corp_id, unnest(array[f.customer_id, s.customer_id]) as customer_id
        from fresh f
        join stale s on (s.corp_id, s.identifier_id) = (f.corp_id, f.identifier_id)
        where f.customer_id is distinct from s.customer_id
    ) moved
    where moved.customer_id is not null
    order by moved.corp_id, moved.customer_id;

    -- Whom nobody is any more counts for themselves.
    insert into add_day_marks (corp_id, contact_id)
    select distinct f.corp_id, f.identifier_id
    from fresh f
    join stale s on (s.corp_id, s.identifier_id) = (f.corp_id, f.identifier_id)
    where f.customer_id is null and s.customer_id is not null
    order by f.corp_id, f.identifier_id;
    return null;
end $$;

create trigger touches_inserted after insert on touches
referencing new table as fresh for each statement execute function mark_inserted_touches();

create trigger touches_updated after update on touches
referencing old table as stale new table as fresh for each statement execute function mark_updated_touches();

create trigger identifiers_assigned after insert on customer_identifiers
referencing new table as fresh for each statement execute function mark_assigned_identifiers();

create trigger identifiers_reassigned after update on customer_identifiers
referencing old table as stale new table as fresh for each statement execute function mark_reassigned_identifiers();
