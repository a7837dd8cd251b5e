-- Open welcomes that nobody will send any more become FAILED. $1 kind of the jobs, $2 how many at most.
with given_up as (
    select w.corp_id, w.welcome_id
    from welcomes w
    where w.status = 'OPEN'
      and w.deadline < now()
      and not exists (
          select
          from due_rows d
          where d.corp_id = w.corp_id and d.kind = $1 and d.key = w.welcome_id::text and d.status <> 'done'
      )
    order by w.corp_id, w.welcome_id
    limit $2
    for update of w skip locked
)
update welcomes w
set status = 'FAILED',
    failure = coalesce(
        (
            select l.reason
            from dead_letters l
            where l.corp_id = w.corp_id and l.durable = $1 and l.fact_id = w.welcome_id::text
        ),
        'JOB_LOST'
    )
from given_up
where (w.corp_id, w.welcome_id) = (given_up.corp_id, given_up.welcome_id)
