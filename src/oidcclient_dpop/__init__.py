"""DPoP (RFC 9449) for oidcclient."""

__version__ = "0.1.0"
