-- Inside what a value is unique; empty: the corp's usual scope of its kind.
alter table identifiers add column scope text not null default '';

-- The release before quarantined by links, this one by persons: values it took for crowds are judged anew.
insert into due_rows (corp_id, kind, key, due_at)
select corp_id, 'people_judged', identifier_id::text, now()
from identifiers
where quarantined
on conflict do nothing;
