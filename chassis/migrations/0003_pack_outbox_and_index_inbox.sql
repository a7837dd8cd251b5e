-- statement by statement
-- So that the index is built while the release before goes on writing. What is cut off in the middle is run again from
-- the top.

-- Facts that were committed and are not yet confirmed by JetStream: one row for all that a transaction states of a
-- corp. A fifth of the WAL of `outbox`, which the release before still writes to and every release sweeps.
create table if not exists outbox_batches (
    corp_id text not null,
    batch_id uuid not null,
    -- One element a fact, in the order they were stated.
    subjects text[] not null,
    -- JSON objects; as text, since nobody asks PostgreSQL about them.
    headers text[] not null,
    payloads bytea[] not null,
    created_at timestamptz not null default now(),
    primary key (corp_id, batch_id)
);

create index if not exists outbox_batches_age on outbox_batches (created_at);

-- What was forgotten makes room that later rows fill, so a BRIN index would soon match every page.
drop index concurrently if exists inbox_age;

create index concurrently inbox_age on inbox (taken_at);
