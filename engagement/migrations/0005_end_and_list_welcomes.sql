-- statement by statement
-- So that the indexes are built while the release before goes on writing. What is cut off in the middle is run again
-- from the top.

-- Why one FAILED: the reason of its job's dead letter. The release before knows neither, and leaves such rows alone.
alter table welcomes add column if not exists failure text;

alter table welcomes drop constraint if exists welcomes_status_check;

alter table welcomes add constraint welcomes_status_check
check (status in ('OPEN', 'ANOTHER_CODE', 'SENT', 'LATE', 'REFUSED', 'WITHOUT_RULE', 'FAILED')) not valid;

-- What lists walk: those of one outcome by time, one employee's, or the few of the corp or of a channel that were not
-- sent. Not while they are open, which most are for a second and which would write an index twice.
drop index concurrently if exists welcomes_of_staff;

create index concurrently welcomes_of_staff on welcomes (corp_id, userid, status, arrived_at, welcome_id)
where status <> 'OPEN';

drop index concurrently if exists welcomes_unsent_of_corp;

create index concurrently welcomes_unsent_of_corp on welcomes (corp_id, status, arrived_at, welcome_id)
where status in ('LATE', 'REFUSED', 'WITHOUT_RULE', 'FAILED');

drop index concurrently if exists welcomes_unsent_of_channel;

create index concurrently welcomes_unsent_of_channel on welcomes (corp_id, channel_id, status, arrived_at, welcome_id)
where status in ('LATE', 'REFUSED', 'WITHOUT_RULE', 'FAILED');
