"""How a client gets tokens, on Authlib's server framework."""
