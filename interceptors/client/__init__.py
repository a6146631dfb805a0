"""The client side: mandates obtained, renewed and attached."""
