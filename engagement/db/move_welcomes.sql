-- Welcomes of former userids become those of whom their members became. $1 to $4: the moves, by column.
with moves as (
    select *
    from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) as move (corp_id, former, until, present)
),
members as (
    select distinct corp_id, former
    from moves
),
kept as (
    -- ended ones by the index of lists, which holds no open ones
    select w.corp_id, w.welcome_id
    from members m
    join welcomes w on (w.corp_id, w.userid) = (m.corp_id, m.former) and w.status <> 'OPEN'
    union all
    select w.corp_id, w.welcome_id
    from members m
    join welcomes w on (w.corp_id, w.userid) = (m.corp_id, m.former) and w.status = 'OPEN'
),
locked as (
    select w.corp_id, w.welcome_id, w.userid, coalesce(w.added_at, w.arrived_at) as added_at
    from kept k
    join welcomes w on (w.corp_id, w.welcome_id) = (k.corp_id, k.welcome_id)
    order by w.corp_id, w.welcome_id
    for update of w
),
moved as (
    -- the earliest rename that an add is not later than is its own
    select l.corp_id, l.welcome_id, own.present
    from locked l
    cross join lateral (
        select m.present
        from moves m
        where (m.corp_id, m.former) = (l.corp_id, l.userid) and l.added_at <= m.until
        order by m.until
        limit 1
    ) own
)
update welcomes w
set userid = moved.present
from moved
where (w.corp_id, w.welcome_id) = (moved.corp_id, moved.welcome_id)
