-- The userid that an alert was stated for, where its recipient is known under another one now (in userid). Null too for
-- what the release before moved: such an alert counts as stated for whom it lies under.
alter table alerts add column said_userid text;
create index alerts_said on alerts (corp_id, said_userid) where said_userid is not null;
