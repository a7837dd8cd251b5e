-- statement by statement
-- So that the indexes are built while the release before goes on writing. What is cut off in the middle is run again
-- from the top.

-- The few that could not be delivered, as lists walk them.
drop index concurrently if exists alerts_undelivered_of_corp;

create index concurrently alerts_undelivered_of_corp on alerts (corp_id, kind, at, alert_id)
where status in ('REFUSED', 'EXPIRED');

drop index concurrently if exists alerts_undelivered_of_staff;

create index concurrently alerts_undelivered_of_staff on alerts (corp_id, userid, kind, at, alert_id)
where status in ('REFUSED', 'EXPIRED');
