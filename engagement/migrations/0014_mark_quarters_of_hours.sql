-- As in 0011, but by quarters of an hour: in every zone a day begins with one, and in some with half an hour.
create or replace function mark_inserted_welcomes() returns trigger language plpgsql as $$
begin
    insert into welcome_day_marks (corp_id, channel_id, userid, at)
    select distinct corp_id, channel_id, userid, date_bin('15 minutes', arrived_at, timestamptz 'epoch')
    from fresh
    where status not in ('OPEN', 'ANOTHER_CODE');
    return null;
end $$;

create or replace function mark_updated_welcomes() returns trigger language plpgsql as $$
begin
    insert into welcome_day_marks (corp_id, channel_id, userid, at)
    select distinct
        f.corp_id, place.channel_id, place.userid, date_bin('15 minutes', place.arrived_at, timestamptz 'epoch')
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

create or replace function mark_inserted_alerts() returns trigger language plpgsql as $$
begin
    insert into alert_day_marks (corp_id, userid, at)
    select distinct corp_id, userid, date_bin('15 minutes', at, timestamptz 'epoch')
    from fresh;
    return null;
end $$;

create or replace function mark_updated_alerts() returns trigger language plpgsql as $$
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

-- Those of which only the hour was marked are counted anew when a service starts.
delete from day_zones
where rollup in ('welcome-days', 'alert-days');
