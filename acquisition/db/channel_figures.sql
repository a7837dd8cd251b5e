-- Per channel: customers by their first add, and adds. $1 corp, $2 until when; null: all.
with adds as (
    -- A contact that identity has not placed yet is a person of its own.
    select t.channel_id, t.added_at, t.touch_id, coalesce(i.customer_id, t.contact_id) as person
    from touches t
    left join customer_identifiers i on (i.corp_id, i.identifier_id) = (t.corp_id, t.contact_id)
    where t.corp_id = $1 and t.kind <> 'CONFIRMED' and ($2::timestamptz is null or t.added_at <= $2)
),
firsts as (
    select distinct on (person) person, channel_id
    from adds
    order by person, added_at, touch_id
),
customers_of as (
    select channel_id, count(*) as customers from firsts group by channel_id
),
adds_of as (
    select channel_id, count(*) as adds from adds group by channel_id
)
select c.channel_id, c.name, coalesce(customers_of.customers, 0) as customers, coalesce(adds_of.adds, 0) as adds
from channels c
left join customers_of on customers_of.channel_id = c.channel_id
left join adds_of on adds_of.channel_id = c.channel_id
where c.corp_id = $1
order by c.channel_id
