-- Relations begun and ended by day (chassis.kernel.day_rollup). Triggers make the marks, so that what the release before
-- writes counts too; what was there before is marked when a service starts.

create table relation_days (
    corp_id text not null,
    day date not null,
    userid text not null,
    began bigint not null default 0,
    ended bigint not null default 0,
    ended_by_customer bigint not null default 0,
    readded bigint not null default 0,
    primary key (corp_id, day, userid)
);
create index relation_days_staff on relation_days (corp_id, userid, day);

create table relation_day_marks (
    corp_id text not null,
    mark_id bigint generated always as identity,
    userid text not null,
    -- All days of the employee and this contact …
    contact_id uuid,
    -- … or the day of the employee in which this moment lies.
    at timestamptz,
    primary key (corp_id, mark_id)
);

create function mark_inserted_follow_events() returns trigger language plpgsql as $$
begin
    insert into relation_day_marks (corp_id, userid, contact_id)
    select distinct corp_id, userid, contact_id
    from fresh
    order by corp_id, userid, contact_id;
    return null;
end $$;

create function mark_moved_follow_events() returns trigger language plpgsql as $$
begin
    with moved as (
        select f.corp_id, f.contact_id, f.userid as fresh, s.userid as stale, s.at
        from fresh f
        join stale s on (s.corp_id, s.fact_id) = (f.corp_id, f.fact_id)
        where (f.userid, f.kind, f.at) is distinct from (s.userid, s.kind, s.at)
    )
    insert into relation_day_marks (corp_id, userid, contact_id, at)
    select corp_id, fresh, contact_id, null::timestamptz
    from moved
    union
    select corp_id, stale, contact_id, null::timestamptz
    from moved
    union
    select corp_id, stale, null::uuid, at
    from moved
    order by 1, 2, 3, 4;
    return null;
end $$;

create trigger follow_events_inserted after insert on follow_events
referencing new table as fresh for each statement execute function mark_inserted_follow_events();

create trigger follow_events_moved after update on follow_events
referencing old table as stale new table as fresh for each statement execute function mark_moved_follow_events();
