-- Not in the file that adds the constraint: see README.md, "Locks".
alter table invitations validate constraint invitations_state_check;
