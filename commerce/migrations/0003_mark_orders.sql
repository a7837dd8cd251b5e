-- A mark names a person, all of whose orders are attributed anew, or one order: what a mall says of one order changes
-- no other, however many its buyer has.
alter table attribution_marks
    alter column identifier_id drop not null,
    add column mall_id text,
    add column order_id text,
    add check (num_nonnulls(identifier_id, order_id) = 1 and num_nonnulls(mall_id, order_id) <> 1);
