"""Letters to people, and the server that takes them."""
