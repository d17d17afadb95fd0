-- What a customer has beside its row: terms, the acting account's link, tags. PostgreSQL opens the tables and indexes of every
-- sub-select each time it runs the statement around them, whether they are needed or not; most customers need few of them, and that was
-- up to half of what a read of one customer cost. Of a function it opens nothing until it calls it. So the statements that read one
-- customer call these, and those that read many have the same as sub-selects, which cost a row less (`store/sql_one.rs`).
--
-- A later form of what they return is a function with a new name: an older release calls these.

create function customer_terms(tenant uuid, path uuid[], own_plan uuid, billed jsonb) returns jsonb
language plpgsql stable parallel safe as $$
declare
    plan uuid := own_plan;
begin
    if plan is null then
        plan := (
            select a.first_rate_plan_id from accounts a
            where a.tenant_id = tenant and a.id = any(path) and a.first_rate_plan_id is not null
            order by cardinality(a.ancestors) desc
            limit 1
        );
    end if;
    if not billed ? 'features' then
        if plan is null then
            return '{"plan": null, "features": {}}';
        end if;
        return jsonb_build_object('features', '{}'::jsonb, 'plan', (
            select jsonb_build_object(
                'id', p.id, 'account_id', p.account_id, 'currency', p.currency, 'archived', p.archived_at is not null,
                'prices', '{}'::jsonb
            )
            from rate_plans p where p.tenant_id = tenant and p.id = plan
        ));
    end if;
    return jsonb_build_object('plan', (
        select jsonb_build_object(
            'id', p.id, 'account_id', p.account_id, 'currency', p.currency, 'archived', p.archived_at is not null,
            'prices', (
                select coalesce(jsonb_object_agg(e.key, e.value), '{}')
                from jsonb_each(p.prices) e where billed -> 'features' ? e.key
            )
        )
        from rate_plans p where p.tenant_id = tenant and p.id = plan
    ), 'features', (
        select coalesce(jsonb_object_agg(f.code, jsonb_build_object(
            'name', f.name, 'chargeable', f.chargeable, 'service_classes', to_jsonb(f.service_classes),
            'retired', f.retired, 'revision', f.revision
        )), '{}')
        from features f
        where f.tenant_id = tenant and f.code = any(array(select jsonb_object_keys(billed -> 'features')))
    ));
end
$$;
comment on function customer_terms(uuid, uuid[], uuid, jsonb) is
    'The terms that apply to a customer: the plan that it is on, and the features that it has.';

create function customer_link(tenant uuid, customer uuid, account uuid) returns jsonb
language plpgsql stable parallel safe as $$
begin
    return (
        select jsonb_build_object('revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
            select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_sort, t.id), '[]')
            from tags t where t.tenant_id = l.tenant_id and t.id = any(l.tags)
        ))
        from customer_links l
        where l.tenant_id = tenant and l.customer_id = customer and l.account_id = account
    );
end
$$;
comment on function customer_link(uuid, uuid, uuid) is 'What an account that does not own a customer has given it.';

create function tags_by_name(tenant uuid, ids uuid[]) returns jsonb
language plpgsql stable parallel safe as $$
begin
    return (
        select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_sort, t.id)
        from tags t where t.tenant_id = tenant and t.id = any(ids)
    );
end
$$;
comment on function tags_by_name(uuid, uuid[]) is 'Tags with their names, in the order of these.';

create function account_policies(tenant uuid, account uuid) returns jsonb
language plpgsql stable parallel safe as $$
begin
    return (select a.policies from accounts a where a.tenant_id = tenant and a.id = account);
end
$$;
comment on function account_policies(uuid, uuid) is 'The policies of an account.';

create function is_member_gone(tenant uuid, member uuid) returns boolean
language plpgsql stable parallel safe as $$
begin
    return not exists (select from members m where m.tenant_id = tenant and m.member_id = member);
end
$$;
comment on function is_member_gone(uuid, uuid) is 'Whether a tenant has no such member any more.';

create function foreign_references(tenant uuid, account uuid, wanted jsonb) returns text[]
language plpgsql stable parallel safe as $$
begin
    return array(
        select t.field from jsonb_each_text(wanted) as t (field, id)
        where not exists (
            select from reference_targets r
            where r.tenant_id = tenant and r.account_id = account and r.field = t.field and r.id = t.id::uuid
        )
    );
end
$$;
comment on function foreign_references(uuid, uuid, jsonb) is 'The fields whose value names nothing that the account has.';

create function asked_terms(tenant uuid, path uuid[], own_plan uuid, billed jsonb, codes text[], asked_plan uuid) returns jsonb
language plpgsql stable parallel safe as $$
begin
    return jsonb_build_object('prices', (
        select coalesce(jsonb_object_agg(e.key, e.value), '{}')
        from rate_plans p cross join lateral jsonb_each(p.prices) e
        where p.tenant_id = tenant and e.key = any(codes) and p.id = coalesce(own_plan, (
            select a.first_rate_plan_id from accounts a
            where a.tenant_id = tenant and a.id = any(path) and a.first_rate_plan_id is not null
            order by cardinality(a.ancestors) desc
            limit 1
        ))
    ), 'features', (
        select coalesce(jsonb_object_agg(f.code, jsonb_build_object(
            'name', f.name, 'chargeable', f.chargeable, 'service_classes', to_jsonb(f.service_classes),
            'retired', f.retired, 'revision', f.revision
        )), '{}')
        from features f where f.tenant_id = tenant and f.code = any(codes)
    ), 'target', (
        select jsonb_build_object(
            'id', p.id, 'account_id', p.account_id, 'currency', p.currency, 'archived', p.archived_at is not null,
            'prices', case when billed ? 'features' then (
                select coalesce(jsonb_object_agg(e.key, e.value), '{}')
                from jsonb_each(p.prices) e where billed -> 'features' ? e.key
            ) else '{}' end
        )
        from rate_plans p
        where p.tenant_id = tenant and p.id = asked_plan and p.account_id = (
            -- The account whose list of plans applies.
            select u.id from unnest(path) with ordinality as u (id, nth)
            where exists (
                select from rate_plans l where l.tenant_id = tenant and l.account_id = u.id and l.archived_at is null
            )
            order by u.nth
            limit 1
        )
    ));
end
$$;
comment on function asked_terms(uuid, uuid[], uuid, jsonb, text[], uuid) is
    'What a command on a customer asks about: features, their prices in the plan that it is on, and another plan of its list.';
