alter table customers
    validate constraint customers_status_check,
    validate constraint customers_name_check,
    validate constraint customers_merged_into_check,
    validate constraint customers_merged_into_fkey;
