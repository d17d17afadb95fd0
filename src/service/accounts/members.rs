//! Members of accounts.

use super::{Accounts, page_of};
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
        clock,
        mutation::{stored, write},
        page::{self, Page},
    },
    store::{self, access::members::After},
};

impl Accounts {
    /// Makes a principal a member of the acting account.
    ///
    /// # Errors
    /// `MemberExists`.
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
        let answer = Answer::Member { member: member.clone() };
        let write = write(caller, at, options);
        let stored = stored(&answer, options)?;
        self.once(caller.scope().tenant(), caller.author(), answer, options, async |conn| {
            store::access::members::add(conn, caller.scope(), &member, stored.clone(), write).await
        })
        .await
        .map_err(|error| if error.broken_key() == Some("members_principal_key") { Error::MemberExists } else { error })
    }

    /// Lists the members of the acting account, and on request those of the accounts above it, nearest first. Every
    /// member comes with the place of its account in the path.
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
        let after: Option<After> = self.sealer.open_page(&page_of(caller, "ListMembers", &inherited), token)?;
        let limit = page::limit(size);
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| {
                store::access::members::list(conn, caller.scope(), inherited, after.as_ref(), limit).await
            })
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this member.
    ///
    /// # Errors
    /// None that can happen.
    pub fn members_after(&self, caller: &Caller, inherited: bool, (step, last): &(i32, Member)) -> Result<String> {
        let principal = &last.principal;
        let after =
            After { step: *step, issuer: principal.issuer().to_owned(), subject: principal.subject().to_owned() };
        self.sealer.page_token(&page_of(caller, "ListMembers", &inherited), &after)
    }
}
