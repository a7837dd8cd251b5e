-- Names are sealed: what a list by the beginning of a name is found with are keyed hashes of the first 1, 2, … 16
-- characters. Null, or of another version: written by the release before, and caught up with.
alter table contacts add column name_prefix_ids uuid[];
alter table contacts add column prefixed_version bigint;
alter table staff add column name_prefix_ids uuid[];
alter table staff add column prefixed_version bigint;

-- The same by prefix, for lists to begin at. Triggers keep it.
create table contact_name_prefixes (
    corp_id text not null,
    prefix_id uuid not null,
    contact_id uuid not null,
    primary key (corp_id, prefix_id, contact_id)
);

create function prefix_inserted_contacts() returns trigger language plpgsql as $$
begin
    insert into contact_name_prefixes (corp_id, prefix_id, contact_id)
    select distinct corp_id, unnest(name_prefix_ids), contact_id
    from fresh
    order by 1, 2, 3
    on conflict do nothing;
    return null;
end $$;

create function prefix_updated_contacts() returns trigger language plpgsql as $$
begin
    with changed as (
        select f.corp_id, f.contact_id, f.name_prefix_ids as fresh, s.name_prefix_ids as stale
        from fresh f
        join stale s on (s.corp_id, s.contact_id) = (f.corp_id, f.contact_id)
        where f.name_prefix_ids is distinct from s.name_prefix_ids
    ),
    gone as (
        delete from contact_name_prefixes p
        using (
            select corp_id, contact_id, unnest(stale) as prefix_id
            from changed
            except
            select corp_id, contact_id, unnest(fresh)
            from changed
        ) g
        where (p.corp_id, p.prefix_id, p.contact_id) = (g.corp_id, g.prefix_id, g.contact_id)
    )
    insert into contact_name_prefixes (corp_id, prefix_id, contact_id)
    select distinct corp_id, unnest(fresh), contact_id
    from changed
    order by 1, 2, 3
    on conflict do nothing;
    return null;
end $$;

create trigger contacts_inserted after insert on contacts
referencing new table as fresh for each statement execute function prefix_inserted_contacts();

create trigger contacts_updated after update on contacts
referencing old table as stale new table as fresh for each statement execute function prefix_updated_contacts();
