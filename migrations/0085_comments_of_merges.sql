-- Every table and column has a comment: see 0110.

comment on column customers.merged_into is 'The customer that this one was merged into; null unless the status is MERGED.';
comment on column custom_ids.merged_from is 'The customer that had the custom ID before a merge; null: this one.';

comment on table merge_images is 'What customers were before they were merged, to undo it. Deleted after 30 days.';
comment on column merge_images.tenant_id is 'The tenant.';
comment on column merge_images.customer_id is 'The customer.';
comment on column merge_images.merge_id is 'The merge, the same for all its customers.';
comment on column merge_images.survivor_id is 'The customer that stayed.';
comment on column merge_images.place is '1: the customer that stayed. The others follow in the order of the request.';
comment on column merge_images.merged_at is 'When.';
comment on column merge_images.image is 'The rows of the customer before the merge.';
comment on column merge_images.after is 'The row of the customer that stayed, after the merge; null for the others.';
