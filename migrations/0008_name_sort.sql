-- Names sort by the Unicode root collation: É is beside E, Ö beside O. The key is computed by the program
-- (domain/values/sort_key.rs), so that the order depends neither on the server's ICU nor on its C library, and is cut at 512
-- bytes, so that an index takes it. Two names can have one key: ties go by id.
--
-- Empty means "not computed yet": rows from before this migration, and those that an older release creates while it still
-- runs. They sort first, and `clientele migrate` fills them in (store/sort_keys.rs). An older release that renames leaves
-- the key of the old name. After the rollout, `delete from computed_keys where key = 'name_sort'` and `clientele migrate`
-- repair that.
--
-- The indexes are in the files from 0011 on, one each, because these tables have data.

alter table branches add column name_sort bytea not null default '';
alter table tags add column name_sort bytea not null default '';
alter table customers add column name_sort bytea not null default '';

-- Which version of a computed key all rows have, so that a new one makes `clientele migrate` compute them again.
create table computed_keys (
    key text collate "C" not null,
    version integer not null,
    constraint computed_keys_pkey primary key (key)
);
