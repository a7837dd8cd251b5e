-- One alert for all causes. Alerts of the release before, all of paid orders, have none of these columns; it goes on
-- writing such rows while it runs beside this one, and reads OPEN ones as paid orders. So what it could not put into
-- words waits as WAITING until a message holds it; what needs no message is LISTED.
alter table alerts
    add column cause text,
    add column importance text,
    add column next_step text,
    -- By kind (domain/alerts.py); never personal data.
    add column details jsonb;
alter table alerts drop constraint alerts_status_check;
alter table alerts add constraint alerts_status_check
    check (status in ('OPEN', 'WAITING', 'LISTED', 'DELIVERED', 'REFUSED', 'EXPIRED')) not valid;

create index alerts_unsent on alerts (corp_id, userid, arrived_at) where status in ('OPEN', 'WAITING');
create index alerts_of_message on alerts (corp_id, message_id) where status = 'OPEN';
-- What lists walk: one employee's or the whole corp's, of one kind, by time.
create index alerts_of_staff on alerts (corp_id, userid, kind, at, alert_id);
create index alerts_of_corp on alerts (corp_id, kind, at, alert_id);
