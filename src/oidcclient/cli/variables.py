"""The variables of the environment that the command knows, for its help and its reference."""

from __future__ import annotations

__all__ = ["VARIABLES"]

VARIABLES = {
    "OIDCCLIENT_PROFILE": "The profile to use where none is named.",
    "OIDCCLIENT_ISSUER": "The issuer, where no profile is named.",
    "OIDCCLIENT_CLIENT_ID": "The client's identifier, where no profile is named.",
    "OIDCCLIENT_CLIENT_SECRET": "The client's secret, for a profile whose `client_auth` needs one.",
    "OIDCCLIENT_ACCESS_TOKEN": (
        "A token to use in place of a session, for CI: `token` prints it, and `request` sends it as a Bearer token to "
        "where the profile or `--allow-origin` lets it go; `git-credential` gives it to git for the profile's hosts."
    ),
    "OIDCCLIENT_FLOW": "How to sign in: `browser`, `device` or `paste`.",
    "OIDCCLIENT_NO_BROWSER": "`1`: open no browser; a code if the provider has them, else pasting.",
    "OIDCCLIENT_CONFIG": "The configuration file, in place of the one in the platform's folder.",
    "OIDCCLIENT_HOME": "The folder of stored sessions, in place of the platform's.",
    "BROWSER": "The browser to start: commands separated by `:` (`;` on Windows), `%s` stands for the address.",
    "NO_COLOR": "Anything: no colours.",
    "HTTPS_PROXY": "The proxy for https, with its usual kin `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`.",
}
