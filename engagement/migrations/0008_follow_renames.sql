-- The release before moves open welcomes only: false for the renames that it took.
alter table staff_renames add column followed boolean not null default false;
create index staff_renames_unfollowed on staff_renames (corp_id, former_userid) where not followed;
