-- Counts the changes of a rule, so that two who edit it at once learn of one another.
alter table welcome_rules add column revision bigint not null default 1;

-- An add has a code for each of the corp's apps, and one welcome. The release before makes an OPEN row of every code
-- and leaves these columns as they are by default.
alter table welcomes
    -- The app whose code it is; 0: the corp's main one.
    add column agent_id bigint not null default 0,
    -- When the add happened, by WeCom's clock; null: as `arrived_at`.
    add column added_at timestamptz,
    -- Calls of which we know that nothing was sent.
    add column calls_without_effect int not null default 0;
alter table welcomes drop constraint welcomes_status_check;
alter table welcomes add constraint welcomes_status_check
    check (status in ('OPEN', 'ANOTHER_CODE', 'SENT', 'LATE', 'REFUSED', 'WITHOUT_RULE')) not valid;
create index welcomes_of_contact on welcomes (corp_id, contact_id);
