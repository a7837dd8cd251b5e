-- statement by statement
-- What one day of an employee is counted along; built while the release before goes on writing.
drop index concurrently if exists follow_events_day;

create index concurrently follow_events_day on follow_events (corp_id, userid, at);
