-- Lock order from now on: staff_renames, relations, identifiers, edges, customers, contacts, address_books,
-- departments, staff, roles.

-- The state that an add came with, and how it came about as far as WeCom has said: null until read, and while what the
-- state says of it is right.
alter table follow_events add column state text not null default '';
alter table follow_events add column add_way integer;
-- The userid in the event, where the member is known under another one now (in userid).
alter table follow_events add column said_userid text;

-- Members who got another userid. Facts up to `at` under the former one are theirs; later ones are somebody else's.
create table staff_renames (
    corp_id text not null,
    userid text not null,
    at timestamptz not null,
    new_userid text not null,
    fact_id text not null,
    -- Another member had the new userid: it counts for nothing, until it turns out that they had given it up before.
    refused boolean not null default false,
    primary key (corp_id, userid, at, new_userid)
);
create index staff_renames_to on staff_renames (corp_id, new_userid);

-- When the member was first there, as far as we have read. Rows of the release before: when they were written.
alter table staff add column known_since timestamptz not null default now();
