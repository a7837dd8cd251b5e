-- Departments, what members manage, and more roles. Lock order from now on: relations, identifiers, edges, customers,
-- contacts, address_books, departments, staff, roles.

create table departments (
    corp_id text not null,
    department_id bigint not null,
    -- Null for the root.
    parent_id bigint,
    name text not null,
    primary key (corp_id, department_id)
);

-- One row a corp: whoever writes its departments or its staff locks it first. `read_at`: when the reading of the whole
-- book began that the departments are from.
create table address_books (
    corp_id text not null,
    read_at timestamptz not null default 'epoch',
    primary key (corp_id)
);

alter table staff add column within_department_ids bigint[] not null default '{}';
alter table staff add column managed_department_ids bigint[] not null default '{}';
create index staff_within on staff using gin (within_department_ids);
-- When the reading of the address book began that this row is from: an older reading never overwrites it.
alter table staff add column read_at timestamptz not null default 'epoch';

alter table roles drop constraint roles_role_check;
alter table roles add check (role in ('ADMIN', 'FRONTLINE', 'MANAGER', 'OPERATOR', 'ANALYST'));
-- For MANAGER; empty means the member's own departments.
alter table roles add column department_ids bigint[] not null default '{}';

-- What WeCom's list of an employee's contacts is compared with.
create index follow_events_staff on follow_events (corp_id, userid, contact_id);

-- Sessions that were signed out of before their token expires; their tokens are signed, not stored.
create table ended_sessions (
    corp_id text not null,
    session_id text not null,
    until timestamptz not null,
    primary key (corp_id, session_id)
);
create index ended_sessions_age on ended_sessions (until);
