"""`rules`: what each method asks."""
