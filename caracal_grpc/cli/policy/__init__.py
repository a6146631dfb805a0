"""`policy`: what decides, checked, made, tried and activated."""
