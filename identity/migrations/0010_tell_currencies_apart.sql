-- Null where the release before wrote it: it adds all currencies up.
alter table order_values add column currency text;
