"""Native OpenID Connect relying party."""

__version__ = "0.1.0"
