create table staff_renames (
    corp_id text not null,
    former_userid text not null,
    at timestamptz not null,
    userid text not null,
    primary key (corp_id, former_userid, at, userid)
);
-- The members as they were given; null while none of them was renamed.
alter table live_codes add column given_userids text[];
