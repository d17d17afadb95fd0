-- To which version of its rule each derived text has been brought. The program derives texts that the database cannot
-- compute: the folded keys of names and custom IDs. When a rule changes, `clientele migrate` derives the texts of old rows
-- again, in batches outside of any migration, and remembers it here, so that the next run has nothing to do.
create table derived_texts (
    -- Which texts: `keys` are all that must be unique.
    name text collate "C" not null,
    -- The version of the rule. A program that knows a lower one leaves the texts alone.
    version integer not null,
    -- When all rows were first brought to this version.
    derived_at timestamptz not null,
    -- Whether the rows need not be looked at again. An older release may write rows until its last replica has stopped, and
    -- a row whose key is taken keeps its old key.
    is_settled boolean not null,
    constraint derived_texts_pkey primary key (name)
);
