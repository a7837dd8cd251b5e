-- statement by statement
-- Nothing here goes from a customer to its identifiers; every add paid for it.
drop index concurrently if exists customer_identifiers_customer;
