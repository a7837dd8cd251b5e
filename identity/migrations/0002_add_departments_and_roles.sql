-- Departments, what members manage, and more roles. Lock order from now on: relations, identifiers, edges, customers,
-- contacts, departments, staff, roles.

create table departments (
    corp_id text not null,
    department_id bigint not null,
    -- Null for the root.
    parent_id bigint,
    name text not null,
    primary key (corp_id, department_id)
);

alter table staff add column within_department_ids bigint[] not null default '{}';
alter table staff add column managed_department_ids bigint[] not null default '{}';
-- When the reading of the address book began that this row is from: an older reading never overwrites it.
alter table staff add column read_at timestamptz not null default '-infinity';

alter table roles drop constraint roles_role_check;
alter table roles add check (role in ('ADMIN', 'FRONTLINE', 'MANAGER', 'OPERATOR', 'ANALYST'));
-- For MANAGER; empty means the member's own departments.
alter table roles add column department_ids bigint[] not null default '{}';

-- What WeCom's list of an employee's contacts is compared with.
create index follow_events_staff on follow_events (corp_id, userid, contact_id);
