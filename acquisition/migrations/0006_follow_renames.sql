-- The release before remembers renames and decides nothing anew: false for what it remembered.
alter table staff_renames add column followed boolean not null default false;
create index staff_renames_unfollowed on staff_renames (corp_id, former_userid) where not followed;
