-- statement by statement
-- So that the indexes are built while the release before goes on writing. What is cut off in the middle is run again
-- from the top.

-- What the list about one contact walks.
drop index concurrently if exists alerts_of_contact;

create index concurrently alerts_of_contact on alerts (corp_id, contact_id, at, alert_id);

-- What lists of one status walk, one employee's or the whole corp's.
drop index concurrently if exists alerts_of_corp_status;

create index concurrently alerts_of_corp_status on alerts (corp_id, status, kind, at, alert_id);

drop index concurrently if exists alerts_of_staff_status;

create index concurrently alerts_of_staff_status on alerts (corp_id, userid, status, kind, at, alert_id);
