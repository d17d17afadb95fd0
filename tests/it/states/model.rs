//! The contract's rules on a customer's states, as a small model.

use clientele::grpc::pb;

/// The callers. The first four are members of the account that owns the customers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    Viewer,
    Member,
    ServiceManager,
    Admin,
    /// The admin of the account above, acting there.
    Above,
    /// A viewer of the account above, acting in the owner's.
    ViewerFromAbove,
    /// The admin of an account below.
    Below,
    /// The admin of a sibling account.
    Beside,
}

impl Actor {
    pub const ALL: [Self; 8] = [
        Self::Viewer,
        Self::Member,
        Self::ServiceManager,
        Self::Admin,
        Self::Above,
        Self::ViewerFromAbove,
        Self::Below,
        Self::Beside,
    ];

    pub fn role(self) -> pb::Role {
        match self {
            Self::Viewer | Self::ViewerFromAbove => pb::Role::Viewer,
            Self::Member => pb::Role::Member,
            Self::ServiceManager => pb::Role::ServiceManager,
            Self::Admin | Self::Above | Self::Below | Self::Beside => pb::Role::Admin,
        }
    }
}

/// A field that the owner requires: the email at creation, the legal name for approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    Email,
    LegalName,
}

/// The etag that a command sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    None,
    /// The etag of the customer's first state.
    Born,
}

#[derive(Clone, Debug)]
pub enum Command {
    Create {
        fleet: bool,
        email: bool,
        legal_name: bool,
    },
    Update {
        of: usize,
        field: Required,
        filled: bool,
        guard: Guard,
    },
    Approve {
        of: usize,
        guard: Guard,
    },
    Reject {
        of: usize,
        guard: Guard,
    },
    Suspend {
        of: usize,
        guard: Guard,
    },
    Resume {
        of: usize,
        guard: Guard,
    },
    Archive {
        of: usize,
    },
    Unarchive {
        of: usize,
    },
    Hold {
        of: usize,
    },
    /// Releases the oldest hold, or one that does not exist.
    Release {
        of: usize,
    },
    Migrate {
        of: usize,
        guard: Guard,
    },
    Revert {
        of: usize,
        guard: Guard,
    },
    Erase {
        of: usize,
        guard: Guard,
    },
    /// To the account in which it was created, or to another account below that.
    Transfer {
        of: usize,
        home: bool,
    },
    /// Merges it into another one.
    Merge {
        of: usize,
        into: usize,
    },
    Unmerge {
        of: usize,
    },
}

/// The account that owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The account in which it was created.
    Home,
    /// The account that its migration created.
    Reseller,
    /// Another account below home.
    Annex,
}

/// A customer in the model.
#[derive(Clone, Debug)]
pub struct Model {
    pub fleet: bool,
    pub status: pb::CustomerStatus,
    pub archived: bool,
    pub legal_name: bool,
    pub owner: Owner,
    pub holds: usize,
    /// Whether its migration is in force, if it was ever migrated.
    pub migration: Option<bool>,
    /// The customer that it was merged into, if it is MERGED.
    pub merged_into: Option<usize>,
    /// The number of events: its creation and every change since.
    pub events: usize,
}

impl Model {
    /// A creation by this actor in the owner's account, with or without auto_approve.
    pub fn create(
        actor: Actor,
        approves: bool,
        fleet: bool,
        email: bool,
        legal_name: bool,
    ) -> Result<Self, &'static str> {
        let needed = if fleet { pb::Role::ServiceManager } else { pb::Role::Member };
        if actor.role() < needed {
            return Err("ROLE_TOO_LOW");
        }
        if !email {
            return Err("REQUIRED_FIELDS_MISSING");
        }
        let status = if approves && legal_name { pb::CustomerStatus::Active } else { pb::CustomerStatus::Pending };
        let (owner, archived) = (Owner::Home, false);
        let (holds, migration, merged_into) = (0, None, None);
        Ok(Self { fleet, status, archived, legal_name, owner, holds, migration, merged_into, events: 1 })
    }

    pub fn sees(&self, actor: Actor) -> bool {
        match actor {
            Actor::Beside => false,
            Actor::Below => self.fleet && self.owner == Owner::Home,
            _ => true,
        }
    }

    /// The actions of an actor that have an effect now, in the contract's order.
    pub fn allowed(&self, actor: Actor) -> Vec<&'static str> {
        if self.status == pb::CustomerStatus::Erased {
            return Vec::new();
        }
        if self.status == pb::CustomerStatus::Merged {
            let all = [("UnmergeCustomers", pb::Role::ServiceManager), ("EraseCustomer", pb::Role::Admin)];
            let may = |least| actor != Actor::Below && actor.role() >= least;
            return all.into_iter().filter(|(_, least)| may(*least)).map(|(name, _)| name).collect();
        }
        let waits = matches!(self.status, pb::CustomerStatus::Pending | pb::CustomerStatus::Rejected);
        let active = self.status == pb::CustomerStatus::Active;
        let suspended = self.status == pb::CustomerStatus::Suspended;
        let pending = self.status == pb::CustomerStatus::Pending;
        let all = [
            ("UpdateCustomer", pb::Role::Member, true),
            ("AddPaymentMethod", pb::Role::Member, true),
            ("ModifyCustomerTags", pb::Role::Member, true),
            ("UpdateCustomId", if self.fleet { pb::Role::Member } else { pb::Role::ServiceManager }, true),
            ("ApproveCustomer", pb::Role::Admin, waits && !self.archived && self.legal_name),
            ("RejectCustomer", pb::Role::Admin, pending && !self.archived),
            ("SuspendCustomer", pb::Role::ServiceManager, active),
            ("ResumeCustomer", pb::Role::ServiceManager, suspended),
            ("PlaceHold", pb::Role::ServiceManager, true),
            ("ReleaseHold", pb::Role::ServiceManager, self.holds > 0),
            ("ArchiveCustomers", pb::Role::Member, !self.archived),
            ("UnarchiveCustomers", pb::Role::Member, self.archived),
            (
                "MigrateCustomerToReseller",
                pb::Role::Admin,
                active && !self.archived && !self.fleet && self.holds == 0 && !self.is_reseller(),
            ),
            ("RevertCustomerMigration", pb::Role::Admin, self.is_reseller() && self.holds == 0),
            ("TransferCustomers", pb::Role::Admin, self.holds == 0),
            ("MergeCustomers", pb::Role::ServiceManager, self.holds == 0),
            ("EraseCustomer", pb::Role::Admin, self.holds == 0),
        ];
        // An account below the owner can only change its own link.
        let own = |name| ["ModifyCustomerTags", "UpdateCustomId"].contains(&name);
        let may = |name, least| (actor != Actor::Below || own(name)) && actor.role() >= least;
        all.into_iter().filter(|(name, least, now)| may(*name, *least) && *now).map(|(name, ..)| name).collect()
    }

    fn is_reseller(&self) -> bool {
        self.migration == Some(true) && self.owner == Owner::Reseller
    }

    pub fn missing(&self) -> Vec<&'static str> {
        let waits = matches!(self.status, pb::CustomerStatus::Pending | pb::CustomerStatus::Rejected);
        let complete = !waits || self.legal_name;
        if complete { Vec::new() } else { vec!["legal_name"] }
    }

    /// Checks role, existence, rights, already made, etag, state, in this order. Returns the reason of a refusal.
    pub fn apply(&mut self, actor: Actor, command: &Command) -> Result<(), &'static str> {
        use pb::CustomerStatus::{Active, Erased, Merged, Pending, Rejected, Suspended};
        let (least, guard) = match command {
            Command::Approve { guard, .. }
            | Command::Reject { guard, .. }
            | Command::Migrate { guard, .. }
            | Command::Revert { guard, .. }
            | Command::Erase { guard, .. } => (pb::Role::Admin, *guard),
            Command::Transfer { .. } => (pb::Role::Admin, Guard::None),
            Command::Hold { .. } | Command::Release { .. } => (pb::Role::ServiceManager, Guard::None),
            Command::Suspend { guard, .. } | Command::Resume { guard, .. } => (pb::Role::ServiceManager, *guard),
            Command::Update { guard, .. } => (pb::Role::Member, *guard),
            _ => (pb::Role::Member, Guard::None),
        };
        if actor.role() < least {
            return Err("ROLE_TOO_LOW");
        }
        if matches!(command, Command::Transfer { .. }) && matches!(actor, Actor::Below | Actor::Beside) {
            return Err("ACCOUNT_NOT_FOUND");
        }
        if !self.sees(actor) {
            return Err("CUSTOMER_NOT_FOUND");
        }
        if actor == Actor::Below {
            return Err("FLEET_OWNED_ELSEWHERE");
        }
        if !matches!(command, Command::Erase { .. }) {
            match self.status {
                Erased => return Err("CUSTOMER_ERASED"),
                Merged => return Err("CUSTOMER_MERGED"),
                _ => {}
            }
        }
        let already = match command {
            Command::Erase { .. } => self.status == Erased,
            // The email is required at creation, so it is always there.
            Command::Update { field: Required::Email, filled, .. } => *filled,
            Command::Update { field: Required::LegalName, filled, .. } => *filled == self.legal_name,
            Command::Approve { .. } => self.status == Active,
            Command::Reject { .. } => self.status == Rejected,
            Command::Suspend { .. } => self.status == Suspended,
            Command::Resume { .. } => self.status == Active,
            Command::Archive { .. } => self.archived,
            Command::Unarchive { .. } => !self.archived,
            Command::Hold { .. } => false,
            Command::Release { .. } => self.holds == 0,
            Command::Migrate { .. } => self.is_reseller(),
            Command::Revert { .. } => self.migration == Some(false),
            Command::Transfer { home, .. } => self.owner == if *home { Owner::Home } else { Owner::Annex },
            Command::Create { .. } | Command::Merge { .. } | Command::Unmerge { .. } => unreachable!(),
        };
        if already {
            return Ok(());
        }
        if guard == Guard::Born && self.events > 1 {
            return Err("ETAG_MISMATCH");
        }
        match command {
            Command::Update { field: Required::Email, .. } => return Err("REQUIRED_FIELDS_MISSING"),
            Command::Update { filled, .. } => self.legal_name = *filled,
            Command::Approve { .. } if self.status == Suspended => return Err("ILLEGAL_TRANSITION"),
            Command::Approve { .. } if self.archived => return Err("CUSTOMER_ARCHIVED"),
            Command::Approve { .. } if !self.legal_name => return Err("REQUIREMENTS_NOT_MET"),
            Command::Approve { .. } => self.status = Active,
            Command::Reject { .. } if self.status != Pending => return Err("ILLEGAL_TRANSITION"),
            Command::Reject { .. } if self.archived => return Err("CUSTOMER_ARCHIVED"),
            Command::Reject { .. } => self.status = Rejected,
            Command::Suspend { .. } if self.status != Active => return Err("ILLEGAL_TRANSITION"),
            Command::Suspend { .. } => self.status = Suspended,
            Command::Resume { .. } if self.status != Suspended => return Err("ILLEGAL_TRANSITION"),
            Command::Resume { .. } => self.status = Active,
            Command::Archive { .. } => self.archived = true,
            Command::Unarchive { .. } => self.archived = false,
            Command::Hold { .. } => self.holds += 1,
            Command::Release { .. } => self.holds -= 1,
            Command::Migrate { .. } if self.archived => return Err("CUSTOMER_ARCHIVED"),
            Command::Migrate { .. } if self.status != Active => return Err("ILLEGAL_TRANSITION"),
            Command::Migrate { .. } if self.fleet => return Err("CUSTOMER_FLEET"),
            Command::Revert { .. } if self.migration.is_none() => return Err("NOT_MIGRATED"),
            Command::Revert { .. } if self.owner != Owner::Reseller => return Err("MIGRATION_FINAL"),
            Command::Migrate { .. } | Command::Revert { .. } | Command::Transfer { .. } | Command::Erase { .. }
                if self.holds > 0 =>
            {
                return Err("CUSTOMER_HELD");
            }
            Command::Migrate { .. } => (self.owner, self.migration) = (Owner::Reseller, Some(true)),
            Command::Revert { .. } => (self.owner, self.migration) = (Owner::Home, Some(false)),
            Command::Transfer { home, .. } => self.owner = if *home { Owner::Home } else { Owner::Annex },
            Command::Erase { .. } => {
                self.become_erased();
                return Ok(());
            }
            Command::Create { .. } | Command::Merge { .. } | Command::Unmerge { .. } => unreachable!(),
        }
        self.events += 1;
        Ok(())
    }

    pub fn become_erased(&mut self) {
        (self.status, self.legal_name, self.merged_into) = (pb::CustomerStatus::Erased, false, None);
        self.events += 1;
    }
}
