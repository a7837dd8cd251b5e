-- Alerts of former userids, but for those inside a message that is being sent, become those of whom their recipients
-- became. $1 to $4: the moves, by column; $5: for how many seconds after a rename the former userid still means it.
with move as (
    select *
    from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
        as t (corp_id, former, until, present)
),
stated as (
    select corp_id, alert_id, at, userid, userid as said_userid
    from alerts
    where (corp_id, userid) in (select corp_id, former from move)
      and said_userid is null
      and not (status = 'OPEN' and message_id is not null)
    union all
    select corp_id, alert_id, at, userid, said_userid
    from alerts
    where (corp_id, said_userid) in (select corp_id, former from move)
      and not (status = 'OPEN' and message_id is not null)
),
moved as (
    -- The earliest rename that an alert is not later than is its own.
    select s.corp_id, s.alert_id, s.said_userid, own.present
    from stated s
    cross join lateral (
        select present
        from move
        where (move.corp_id, move.former) = (s.corp_id, s.said_userid)
          and s.at <= move.until + make_interval(secs => $5)
        order by move.until
        limit 1
    ) own
    where own.present <> s.userid
),
held as (
    select a.corp_id, a.alert_id
    from alerts a
    where (a.corp_id, a.alert_id) in (select corp_id, alert_id from moved)
      and not (a.status = 'OPEN' and a.message_id is not null)
    order by a.corp_id, a.alert_id
    for update of a
),
done as (
    update alerts a
    set userid = moved.present, said_userid = moved.said_userid
    from moved
    join held using (corp_id, alert_id)
    where (a.corp_id, a.alert_id) = (moved.corp_id, moved.alert_id)
    returning a.corp_id, a.userid, a.status
)
select distinct corp_id, userid
from done
where status in ('OPEN', 'WAITING')
