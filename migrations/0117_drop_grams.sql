-- Lexemes (0114) have taken the place of grams. Nothing was released with them.
drop index customer_search_customer_keys_idx;
drop index custom_ids_custom_id_keys_idx;
drop function customer_keys(uuid, uuid, uuid[], integer, integer[], jsonb);
drop function custom_id_keys(uuid, integer, integer[]);
alter table customer_search drop column grams, drop column id_grams;
alter table custom_ids drop column grams;

-- As for the indexes before them (0111): the planner has no use for statistics of keys.
alter index customer_search_customer_lexemes_idx alter column 1 set statistics 0;
alter index custom_ids_custom_id_lexemes_idx alter column 1 set statistics 0;
