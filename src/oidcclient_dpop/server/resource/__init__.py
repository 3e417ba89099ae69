"""One protected resource: what it takes, what it asks for, and what it answers to all else."""
