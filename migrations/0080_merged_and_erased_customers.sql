-- Two more statuses of a customer. An older release shows them as unknown, and refuses to change such a row.

alter table customers
    -- The customer that this one was merged into. It is never one that is merged itself: a merge of that one rewrites this.
    add column merged_into uuid,
    drop constraint customers_status_check,
    add constraint customers_status_check
        check (status in ('PENDING', 'ACTIVE', 'REJECTED', 'SUSPENDED', 'MERGED', 'ERASED')) not valid,
    -- An erased customer has no name. Its name_key is its id, so that no rule on names finds two that are equal.
    drop constraint customers_name_check,
    add constraint customers_name_check
        check (case when status = 'ERASED' then name = '' else char_length(name) between 1 and 120 end) not valid,
    add constraint customers_merged_into_check check ((status = 'MERGED') = (merged_into is not null)) not valid,
    add constraint customers_merged_into_fkey
        foreign key (tenant_id, merged_into) references customers (tenant_id, id) not valid;
