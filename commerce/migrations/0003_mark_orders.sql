-- A mark with an order is about that order only: what a mall says of one changes no other, however many its buyer has.
-- It names the buyer all the same, so that a replica of the release before, which takes every mark for a person's, does
-- more than it has to and never less.
alter table attribution_marks
    add column mall_id text,
    add column order_id text,
    add check (num_nonnulls(mall_id, order_id) <> 1);
