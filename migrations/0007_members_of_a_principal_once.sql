-- no-transaction
-- The index of 0006 begins with the same columns.
drop index concurrently members_issuer_subject_idx;
