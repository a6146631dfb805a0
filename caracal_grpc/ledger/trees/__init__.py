"""The Merkle tree of a zone (RFC 9162) as it is kept in tiles, and its proofs."""
