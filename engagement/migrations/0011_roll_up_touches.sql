-- Welcomes and alerts by day (chassis.kernel.day_rollup). Triggers make the marks, so that what the release before
-- writes counts too; what was there before is marked when a service starts.

create table welcome_days (
    corp_id text not null,
    -- On which the add arrived.
    day date not null,
    channel_id uuid not null,
    userid text not null,
    sent bigint not null default 0,
    late bigint not null default 0,
    refused bigint not null default 0,
    without_rule bigint not null default 0,
    failed bigint not null default 0,
    primary key (corp_id, day, channel_id, userid)
);
create index welcome_days_staff on welcome_days (corp_id, userid, day);

create table welcome_day_marks (
    corp_id text not null,
    mark_id bigint generated always as identity,
    channel_id uuid not null,
    userid text not null,
    -- A moment of the day.
    at timestamptz not null,
    primary key (corp_id, mark_id)
);

create table alert_days (
    corp_id text not null,
    -- On which it happened.
    day date not null,
    userid text not null,
    raised bigint not null default 0,
    delivered bigint not null default 0,
    refused bigint not null default 0,
    expired bigint not null default 0,
    open bigint not null default 0,
    listed bigint not null default 0,
    primary key (corp_id, day, userid)
);
create index alert_days_staff on alert_days (corp_id, userid, day);

create table alert_day_marks (
    corp_id text not null,
    mark_id bigint generated always as identity,
    userid text not null,
    at timestamptz not null,
    primary key (corp_id, mark_id)
);

-- Welcomes count when they have ended: each is marked once on its way, not twice.
-- By quarters of an hour: in every zone a day begins with one, and in some with half an hour.
create function mark_inserted_welcomes() returns trigger language plpgsql as $$
begin
    insert into welcome_day_marks (corp_id, channel_id, userid, at)
    select distinct corp_id, channel_id, userid, date_bin('15 minutes', arrived_at, timestamptz 'epoch')
    from fresh
    where status not in ('OPEN', 'ANOTHER_CODE');
    return null;
end $$;

create function mark_updated_welcomes() returns trigger language plpgsql as $$
begin
    insert into welcome_day_marks (corp_id, channel_id, userid, at)
    select distinct f.corp_id, place.channel_id, place.userid, date_bin('15 minutes', place.arrived_at, timestamptz 'epoch')
    from fresh f
    join stale s on (s.corp_id, s.welcome_id) = (f.corp_id, f.welcome_id)
    -- Where it counts now, and where it counted.
    cross join lateral (
        values (f.status, f.channel_id, f.userid, f.arrived_at), (s.status, s.channel_id, s.userid, s.arrived_at)
    ) place (status, channel_id, userid, arrived_at)
    where (f.status, f.channel_id, f.userid, f.arrived_at)
        is distinct from (s.status, s.channel_id, s.userid, s.arrived_at)
      and place.status not in ('OPEN', 'ANOTHER_CODE');
    return null;
end $$;

create function mark_inserted_alerts() returns trigger language plpgsql as $$
begin
    insert into alert_day_marks (corp_id, userid, at)
    select distinct corp_id, userid, date_bin('15 minutes', at, timestamptz 'epoch')
    from fresh;
    return null;
end $$;

create function mark_updated_alerts() returns trigger language plpgsql as $$
begin
    insert into alert_day_marks (corp_id, userid, at)
    select distinct f.corp_id, place.userid, date_bin('15 minutes', place.at, timestamptz 'epoch')
    from fresh f
    join stale s on (s.corp_id, s.alert_id) = (f.corp_id, f.alert_id)
    cross join lateral (values (f.userid, f.at), (s.userid, s.at)) place (userid, at)
    -- One that waits for its message counts as open all the time.
    where (replace(f.status, 'WAITING', 'OPEN'), f.userid, f.at)
        is distinct from (replace(s.status, 'WAITING', 'OPEN'), s.userid, s.at);
    return null;
end $$;

create trigger welcomes_inserted after insert on welcomes
referencing new table as fresh for each statement execute function mark_inserted_welcomes();

create trigger welcomes_updated after update on welcomes
referencing old table as stale new table as fresh for each statement execute function mark_updated_welcomes();

create trigger alerts_inserted after insert on alerts
referencing new table as fresh for each statement execute function mark_inserted_alerts();

create trigger alerts_updated after update on alerts
referencing old table as stale new table as fresh for each statement execute function mark_updated_alerts();
