-- statement by statement
-- So that the indexes are built while the release before goes on writing. What is cut off in the middle is run again
-- from the top.

-- The version of the touch whose kind the rules of this release gave it. The release before does not write it and raises
-- `version` with every kind that it gives: where the two differ, the kind may be wrong (it does not know of renames).
alter table touches add column if not exists decided_version bigint;

-- A contact with one add has a NEW one, and nothing to decide: neither index grows with such adds.
drop index concurrently if exists touches_undecided;

create index concurrently touches_undecided on touches (corp_id, contact_id)
where kind is distinct from 'NEW' and decided_version is distinct from version;

-- Which contacts a rename may concern.
drop index concurrently if exists touches_repeated;

create index concurrently touches_repeated on touches (corp_id, userid, contact_id)
where kind is distinct from 'NEW';

create index if not exists staff_renames_onto on staff_renames (corp_id, userid);
