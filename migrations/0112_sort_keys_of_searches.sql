-- A search sorts what it finds in a bucket before it reads the customers themselves, so that of thousands it reads those of a page.
-- Null in rows of an older release, and old in rows that one wrote since: those of a lower version are not read for it.
alter table customer_search add column name_sort bytea;
comment on column customer_search.name_sort is 'The sort key of the name, as in customers; null in rows of an older release.';
