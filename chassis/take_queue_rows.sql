-- Goes round the corps, so that one with a long backlog keeps nobody else waiting. {table} and {key} are the queue's,
-- $1 is how many rows, $2 the corps that are parked.
with recursive corps as (
    -- each corp that has rows, by jumps along the primary key
    (
        select corp_id
        from {table}
        order by corp_id
        limit 1
    )
    union all
    select (
        select q.corp_id
        from {table} q
        where q.corp_id > c.corp_id
        order by q.corp_id
        limit 1
    )
    from corps c
    where c.corp_id is not null
),
working as (
    select corp_id
    from corps
    where corp_id is not null and corp_id <> all($2::text[])
    order by random()
    limit $1
),
picked as (
    select one.ctid
    from working w
    cross join lateral (
        select q.ctid
        from {table} q
        where q.corp_id = w.corp_id
        order by q.{key}
        limit (select $1 / greatest(count(*), 1) from working)
        for update skip locked
    ) one
)
delete from {table}
-- By place: joined by key, the planner reads the whole backlog. Rows of a queue are never updated.
where ctid = any(array(select ctid from picked))
returning *
