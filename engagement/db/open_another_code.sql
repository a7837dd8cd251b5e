-- For each add, $1 to $4 by column, one more of its codes that still lives becomes OPEN. $5: how many seconds the times
-- of an add's tellings are apart at most.
with another as (
    select distinct on (failed.n) w.corp_id, w.welcome_id
    from unnest($1::text[], $2::uuid[], $3::text[], $4::timestamptz[])
        with ordinality as failed (corp_id, contact_id, userid, added_at, n)
    join welcomes w on (w.corp_id, w.contact_id) = (failed.corp_id, failed.contact_id)
    where w.userid = failed.userid
      and w.status = 'ANOTHER_CODE'
      and w.deadline > now()
      and abs(extract(epoch from w.added_at - failed.added_at)) <= $5
    order by failed.n, w.arrived_at, w.welcome_id
)
update welcomes w
set status = 'OPEN'
from another
where (w.corp_id, w.welcome_id) = (another.corp_id, another.welcome_id)
returning w.corp_id, w.welcome_id, w.deadline
