-- statement by statement
-- Customers by when they were first known; built while the release before goes on writing.
drop index concurrently if exists customers_created;

create index concurrently customers_created on customers (corp_id, created_at, customer_id) where merged_into is null;

-- Names whose prefixes are to be caught up with.
drop index concurrently if exists contacts_unprefixed;

create index concurrently contacts_unprefixed on contacts (corp_id, contact_id)
where prefixed_version is distinct from version;

drop index concurrently if exists staff_unprefixed;

create index concurrently staff_unprefixed on staff (corp_id, userid) where prefixed_version is distinct from version;
