-- What a customer's references may name, by the name of the field: something that its owner has. Statements check every
-- reference against this one view; a new reference adds a `union all` to it.

create view reference_targets as
select tenant_id, account_id, 'branch_id' as field, id from branches
union all
select tenant_id, account_id, 'sales_person_id', member_id from members;
