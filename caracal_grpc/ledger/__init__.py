"""The provable record of decisions, and the only room of SQLAlchemy.

An entry becomes a leaf, leaves become a tree (RFC 6962), the root of the tree becomes a signed
checkpoint (C2SP). `port` says what the authority may ask and `sql` answers it; `export` writes the
file that anybody checks offline with `verify`.
"""
