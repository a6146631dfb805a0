"""New approvals told to the outside."""
