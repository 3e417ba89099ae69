"""
Keys in the Secure Enclave of a Mac, through ctypes. Experimental: it has not run on a Mac yet.

A key in the keychain would need a signed program with an entitlement, which no `python` is. So the key is not
permanent: the enclave gives it out encrypted to itself, and takes it back. The parts, each on the one before:
`frameworks` (the functions of macOS), `handle` (the encrypted key as it is stored), `problems` and `store`.
"""
