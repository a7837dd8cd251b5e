-- Alerts as they come in. $1 to $13: their columns.
insert into alerts (
    corp_id, alert_id, userid, said_userid, kind, cause, contact_id, importance, next_step, details,
    mall_id, order_id, amount_fen, at, arrived_at, status
)
select
    corp_id, alert_id, userid, said_userid, kind, cause, contact_id, importance, next_step, details,
    coalesce(details ->> 'mall_id', ''),
    coalesce(details ->> 'order_id', ''),
    -- What the release before puts into words: paid orders only.
    coalesce((details ->> 'paid_amount')::bigint, 0),
    at, arrived_at, status
from unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::text[], $9::jsonb[],
    $10::timestamptz[], $11::timestamptz[], $12::text[], $13::text[]
) as new (
    corp_id, alert_id, userid, kind, cause, contact_id, importance, next_step, details,
    at, arrived_at, status, said_userid
)
-- Told of before a rename, under the former userid: who states alerts may learn of the rename too late.
where not exists (
    select
    from alerts told
    where (told.corp_id, told.userid, told.kind, told.at) = (new.corp_id, new.userid, new.kind, new.at)
      and coalesce(told.cause, 'order_paid/' || told.mall_id || '/' || told.order_id) = new.cause
)
on conflict do nothing
returning corp_id, userid, status
