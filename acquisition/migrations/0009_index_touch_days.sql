-- statement by statement
-- What one day of an employee is counted along; built while the release before goes on writing.
drop index concurrently if exists touches_day;

create index concurrently touches_day on touches (corp_id, userid, added_at);
