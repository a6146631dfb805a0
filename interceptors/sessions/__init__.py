"""Narrowing: sessions, delegations and approvals, as the client side has them."""
