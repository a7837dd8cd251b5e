-- statement by statement
-- What nobody earned, and what guests bought, of one day. What an employee earned has an index by lists.
drop index concurrently if exists attributions_nobodys;

create index concurrently attributions_nobodys on attributions (corp_id, paid_at)
where userid is null and paid_at is not null;

drop index concurrently if exists orders_of_guests;

create index concurrently orders_of_guests on orders (corp_id, paid_at)
where buyer_id is null and paid_at is not null;
