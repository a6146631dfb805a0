"""What a mesh process makes of requests, behind a real Envoy."""
