-- statement by statement
-- Nothing claims by (kind, due_at) alone any more: the release before goes round the corps too, by due_rows_by_corp.
drop index concurrently if exists due_rows_open;
