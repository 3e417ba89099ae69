"""An OpenID provider on loopback for development and tests."""

__version__ = "0.1.0"
