-- Goes round the corps, so that one with a long backlog keeps nobody else waiting. Reads only the index of open rows
-- (kind, corp_id, due_at): a jump a corp, and what is claimed. $1 kind, $2 how many, $3 seconds of the lease.
with recursive corps as (
    -- each corp with open rows, by jumps along the index
    (
        select corp_id
        from due_rows
        where kind = $1 and status <> 'done'
        order by corp_id
        limit 1
    )
    union all
    select (
        select d.corp_id
        from due_rows d
        where d.kind = $1 and d.status <> 'done' and d.corp_id > c.corp_id
        order by d.corp_id
        limit 1
    )
    from corps c
    where c.corp_id is not null
),
heads as (
    -- corps that have something due, those that have waited longest first
    select c.corp_id, head.due_at
    from corps c
    cross join lateral (
        select d.due_at
        from due_rows d
        where d.kind = $1 and d.corp_id = c.corp_id and d.status <> 'done' and d.due_at <= now()
          and (d.status = 'due' or d.lease_until < now())
        order by d.due_at
        limit 1
    ) head
    order by head.due_at
    limit $2
),
picked as (
    select one.*
    from heads h
    cross join lateral (
        select d.corp_id, d.kind, d.key
        from due_rows d
        where d.kind = $1 and d.corp_id = h.corp_id and d.status <> 'done' and d.due_at <= now()
          and (d.status = 'due' or d.lease_until < now())
        order by d.due_at
        limit (select $2 / greatest(count(*), 1) from heads)
        for update skip locked
    ) one
)
update due_rows d
set status = 'attempting',
    attempts = d.attempts + 1,
    -- Whoever held it before died, or was frozen.
    failures = d.failures + (d.status = 'attempting')::int,
    claim_no = d.claim_no + 1,
    lease_until = now() + make_interval(secs => $3)
from picked p
where (d.corp_id, d.kind, d.key) = (p.corp_id, p.kind, p.key)
returning d.corp_id, d.key, d.generation, d.claim_no, d.attempts, d.failures, d.deadline, d.detail
