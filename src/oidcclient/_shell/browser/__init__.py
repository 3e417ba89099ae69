"""The system browser: whether to open it, and opening it."""
