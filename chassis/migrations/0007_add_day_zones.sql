-- By which zone a corp's days were cut (chassis.kernel.day_rollup).
create table day_zones (
    corp_id text not null,
    rollup text not null,
    zone text not null,
    primary key (corp_id, rollup)
);
