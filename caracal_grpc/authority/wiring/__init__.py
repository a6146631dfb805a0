"""How the parts of the authority are put together, group by group, in the order of their needs."""
