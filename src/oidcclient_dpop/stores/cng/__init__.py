"""
Keys in the key storage of Windows (CNG), through ctypes.

The parts, each on the one before: `constants`, `ncrypt` (the library's functions), `problems` and `store`.
"""
