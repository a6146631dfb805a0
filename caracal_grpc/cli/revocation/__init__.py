"""`revoke`."""
