//! Members of accounts.

use super::{Access, cache::Stale};
use crate::{
    domain::{
        access::{caller::Caller, member::Member},
        requests::{
            answer::Answer,
            options::{Options, Outcome},
            principal::Principal,
        },
        values::{enums::Role, ids::MemberId},
    },
    error::{Error, Result},
    service::{
        call, clock,
        mutation::{Call, replay_as_stored, run_statement, to_stored, write},
        page::{self, Page},
        seal::PageContext,
    },
    store::{self, access::members::After},
};

impl Access {
    /// Makes a principal a member of the acting account.
    ///
    /// # Errors
    /// `MemberExists`, `Narrowed`.
    pub async fn add_member(
        &self,
        caller: &Caller,
        principal: Principal,
        role: Role,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        let at = clock::now();
        let account = caller.scope().root();
        let member = Member { id: MemberId::from_uuid(clock::new_id()), account, principal, role, created_at: at };
        let stale = Stale::Memberships(caller.scope().tenant(), member.principal.clone());
        let write = write(caller, at, options);
        let answer = Answer::Member { member: member.clone() };
        let (member, answer, stored) = (&member, &answer, &to_stored(&answer, options)?);
        let attempt = |mut lease| async move {
            run_statement(&mut lease, options, async |conn| {
                store::access::members::add(conn, caller.scope(), member, stored.clone(), write).await
            })
            .await?;
            Ok(Outcome::changed(answer.clone()))
        };
        let call = Call::new(caller, options).making_stale(Some(stale));
        let done = self.mutations.run(call, attempt, replay_as_stored).await;
        match done {
            Err(failure) if failure.broken_key() == Some("members_principal_key") => {}
            done => return done,
        }
        let by = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::access::members::find(conn, caller.scope(), &member.principal).await).await
        };
        Err(Error::MemberExists { by: by.await.unwrap_or_default() })
    }

    /// Lists the members of the acting account, and on request those of the accounts above it, nearest first. Each
    /// member comes with the position of its account in the path.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_members(
        &self,
        caller: &Caller,
        inherited: bool,
        size: usize,
        token: &str,
    ) -> Result<Page<(i32, Member)>> {
        let after: Option<After> = self.sealer.open_page(&page_context(caller, &inherited), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| {
                store::access::members::list(conn, caller.scope(), inherited, after.as_ref(), limit, call::hold).await
            })
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this member.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn members_token(&self, caller: &Caller, inherited: bool, (step, last): &(i32, Member)) -> Result<String> {
        let principal = &last.principal;
        let after =
            After { step: *step, issuer: principal.issuer().to_owned(), subject: principal.subject().to_owned() };
        self.sealer.page_token(&page_context(caller, &inherited), &after)
    }
}

fn page_context<'a>(caller: &Caller, inherited: &'a bool) -> PageContext<'a, bool> {
    PageContext::new("ListMembers", caller, inherited)
}
