-- A row of more than 2 KB has its documents compressed: a full customer, the event of its creation, its stored answer. lz4 takes a
-- third of the time of pglz, the default, to write them and less than half of it to read them, and makes them 5 % larger. Values
-- that are there stay as they are until they are written again. A server that was built without lz4 keeps pglz.
do $$
begin
    alter table customers alter column profile set compression lz4;
    alter table customer_search alter column doc set compression lz4;
    alter table events alter column changes set compression lz4;
    alter table requests alter column answer set compression lz4;
exception
    when feature_not_supported then
        raise notice 'this server has no lz4: documents are compressed by pglz';
end
$$;
