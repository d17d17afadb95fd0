-- customer_keys and custom_id_keys (0060) have taken their place. Nothing was released with them.
drop index customer_search_keys_idx;
drop function search_keys(uuid, uuid, integer, integer[], jsonb);
