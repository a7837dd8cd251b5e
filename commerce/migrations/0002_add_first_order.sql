-- The time of the buyer's first order, as it was told with BuyerIdentified: an earlier one is told anew.
alter table buyers add column first_ordered_at timestamptz;
