//! The pieces of statements that look up who may do what.

/// Puts a piece into the text, and goes on with the macro `back`. An unknown name does not compile here.
///
/// * `ACTING_ACCOUNT`, `DMS_BRANCHES`: of the account `a` that a call acts in, the first columns of a look-up of access, and
///   the ids of its branches with a dealer management system.
/// * `SUSPENDED_ABOVE`: whether an account above the account `a` is suspended.
/// * `MEMBER_TENANTS`: the tenants `p` in which the principal is a member. $2 is its issuer, $3 its subject.
macro_rules! access_piece {
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] ACTING_ACCOUNT $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            r#"a.tenant_id as "tenant_id?", a.id as "id?", a.ancestors as "ancestors?", a.name as "name?",
               a.policies as "policies?: Json<Policies>", a.revision as "revision?", a.created_at as "created_at?",
               a.suspended_at as "suspended_at?", "# SUSPENDED_ABOVE r#" as "suspended_above!",
               (select t.industries from tenants t where t.tenant_id = a.tenant_id) as "industries: Json<Industries>",
               (select t.suspended_at is not null from tenants t where t.tenant_id = a.tenant_id) as "tenant_suspended?",
               "# FIRST_PLAN r#" as "first_plan?: Json<PlanTerms>", "# UNASSIGNED_PLAN r#" as "unassigned_plan?: Json<PlanTerms>",
               exists (select from features f where f.tenant_id = a.tenant_id) as "has_features!""#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] SUSPENDED_ABOVE $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "exists (select from accounts up where up.tenant_id = a.tenant_id and up.id = any(a.ancestors[2:]) and up.suspended_at is not null)"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] DMS_BRANCHES $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "array(
                select b.id from branches b
                where b.tenant_id = a.tenant_id and b.account_id = a.id and b.dms_integrated
                limit 1000
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] MEMBER_TENANTS $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "principals p
            cross join lateral (
                select from members m
                where m.tenant_id = p.tenant_id and m.issuer = $2 and m.subject = $3
                limit 1
            ) m
            where p.issuer = $2 and p.subject = $3"
            $($rest)*
        )
    };
}

pub(in crate::store) use access_piece;
