-- Alerts of former userids, but for those inside a message that is being sent, become those of whom their recipients
-- became. $1 to $4: the moves, by column; $5: for how many seconds after a rename the former userid still means it.
with moved as (
    -- the earliest rename that an alert is not later than is its own
    select a.corp_id, a.alert_id, (
        select move.present
        from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[])
            as move (corp_id, former, until, present)
        where (move.corp_id, move.former) = (a.corp_id, a.userid)
          and a.at <= move.until + make_interval(secs => $5)
        order by move.until
        limit 1
    ) as present
    from alerts a
    where (a.corp_id, a.userid) in (select distinct * from unnest($1::text[], $2::text[]))
      and not (a.status = 'OPEN' and a.message_id is not null)
    order by a.corp_id, a.alert_id
    for update of a
),
done as (
    update alerts a
    set userid = moved.present
    from moved
    where (a.corp_id, a.alert_id) = (moved.corp_id, moved.alert_id) and moved.present is not null
    returning a.corp_id, a.userid, a.status
)
select distinct corp_id, userid
from done
where status in ('OPEN', 'WAITING')
