"""The provable record of decisions, and the only room of SQLAlchemy.

An entry becomes a leaf, leaves become a tree (RFC 9162), the root of the tree becomes a signed
checkpoint (C2SP). `port` says what the authority may ask and `sql` answers it, over either engine:
`writer` gathers what waits into groups, `commit` makes a group one transaction, and `work` has the
threads for it. The rooms hold what these do it with; `schema` and `tree`, the tables and the
arithmetic, are what all of them share.
"""
