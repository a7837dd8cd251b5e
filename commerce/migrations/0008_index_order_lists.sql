-- statement by statement
-- Thousand by thousand, each in a transaction of its own.
call give_back_what_was_refunded();

-- Lists by mall, status, employee, channel and payment: each filter has an index for each order of its rows. Built while
-- the release before goes on writing.
drop index concurrently if exists orders_paid;

create index concurrently orders_paid on orders (corp_id, paid_at, mall_id, order_id) where paid_at is not null;

drop index concurrently if exists orders_mall;

create index concurrently orders_mall on orders (corp_id, mall_id, created_at, order_id);

drop index concurrently if exists orders_mall_paid;

create index concurrently orders_mall_paid on orders (corp_id, mall_id, paid_at, order_id) where paid_at is not null;

drop index concurrently if exists orders_status;

create index concurrently orders_status on orders (
    corp_id,
    order_status(paid_fen, given_back_fen, shipped_at, completed_at, closed_at, 'infinity'),
    created_at,
    mall_id,
    order_id
);

drop index concurrently if exists orders_status_paid;

create index concurrently orders_status_paid on orders (
    corp_id,
    order_status(paid_fen, given_back_fen, shipped_at, completed_at, closed_at, 'infinity'),
    paid_at,
    mall_id,
    order_id
) where paid_at is not null;

drop index concurrently if exists attributions_staff;

create index concurrently attributions_staff on attributions (corp_id, userid, ordered_at, mall_id, order_id)
where userid is not null;

drop index concurrently if exists attributions_staff_paid;

create index concurrently attributions_staff_paid on attributions (corp_id, userid, paid_at, mall_id, order_id)
where userid is not null and paid_at is not null;

drop index concurrently if exists attributions_channel;

create index concurrently attributions_channel on attributions (corp_id, channel_id, ordered_at, mall_id, order_id)
where channel_id is not null;

drop index concurrently if exists attributions_channel_paid;

create index concurrently attributions_channel_paid on attributions (corp_id, channel_id, paid_at, mall_id, order_id)
where channel_id is not null and paid_at is not null;

-- Lists read orders_page backwards, and so does the release before.
drop index concurrently if exists orders_newest;
