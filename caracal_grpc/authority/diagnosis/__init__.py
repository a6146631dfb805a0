"""What this replica stands on, looked at: each check tells, and none refuses."""
