"""`upstream`: the real credentials of what stands behind gateways."""
