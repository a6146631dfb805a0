"""The credentials of what stands behind gateways: kept sealed, released for mandates that live."""
