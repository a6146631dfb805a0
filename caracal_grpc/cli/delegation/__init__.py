"""`delegation`: authority that is passed on."""
