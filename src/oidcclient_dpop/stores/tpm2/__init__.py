"""
Keys in a TPM 2.0, in pure Python.

The parts, each on the one before: `constants`, `marshal` (bytes), `transport` (a device or a socket), `commands` (what
the chip does), `blob` (the wrapped key as it is stored) and `store`.
"""
