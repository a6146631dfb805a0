"""The Merkle tree of a zone (RFC 9162): its arithmetic, how it is kept in tiles, and its proofs."""
