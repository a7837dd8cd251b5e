create table staff_renames (
    corp_id text not null,
    former_userid text not null,
    at timestamptz not null,
    userid text not null,
    primary key (corp_id, former_userid, at, userid)
);
