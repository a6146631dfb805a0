"""`mesh`: what answers Envoy."""
