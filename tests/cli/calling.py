"""Calling the command: in this process, or as a program of its own; each with folders of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped] # it has none
import pytest

import oidcclient
from oidcclient.cli.main import main
from oidcclient_devkit import Provider

__all__ = ["Desk", "Result", "check_shape"]

PATIENCE_S = 60.0  # a loaded machine may need long to start Python
VISIT = "import sys, urllib.request as r; r.urlopen(sys.argv[1], timeout=20).read()"
VARIABLES = ("ISSUER", "CLIENT_ID", "PROFILE", "FLOW", "NO_BROWSER", "ACCESS_TOKEN", "CLIENT_SECRET", "CONFIG", "HOME")


@dataclass(frozen=True)
class Result:
    """What came of a call."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result, as JSON."""
        return json.loads(self.out)


def check_shape(name: str, value: object) -> None:
    """Check a JSON value against the documented schema of that name."""
    schema = json.loads((files("oidcclient.cli") / "schema" / f"{name}.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)


class Desk:
    """A person's desk: a configuration, a store of sessions, and a provider that knows them."""

    def __init__(self, provider: Provider, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.provider = provider
        self.folder = folder
        self.config = folder / "config.toml"
        self.sessions = folder / "sessions"
        self._patch = monkeypatch
        for name in VARIABLES:
            monkeypatch.setenv(f"OIDCCLIENT_{name}", "")  # remembered, so that whatever the command sets is undone
            monkeypatch.delenv(f"OIDCCLIENT_{name}")
        monkeypatch.setenv("OIDCCLIENT_CONFIG", str(self.config))
        monkeypatch.setenv("OIDCCLIENT_HOME", str(folder / "home"))
        monkeypatch.setenv("BROWSER", f"{sys.executable} {self._visitor()} %s")

    def _visitor(self) -> Path:
        script = self.folder / "visit.py"
        script.write_text(VISIT, "utf-8")
        return script

    def set(self, **variables: str) -> None:
        """Set variables of the environment whose names begin with OIDCCLIENT_."""
        for name, value in variables.items():
            self._patch.setenv(f"OIDCCLIENT_{name}", value)

    @property
    def values(self) -> dict[str, Any]:
        """The usual values of a profile."""
        return {
            "issuer": self.provider.issuer,
            "client_id": self.provider.client_id,
            "store": f"file:{self.sessions.as_posix()}",
            "allow_http_loopback": True,
        }

    @property
    def identity(self) -> list[str]:
        """The same as options."""
        return [
            "--issuer", self.provider.issuer, "--client-id", self.provider.client_id,
            "--store", f"file:{self.sessions.as_posix()}", "--allow-http-loopback",
        ]  # fmt: skip

    def profile(self, name: str = "work", **changes: Any) -> None:
        """Write a profile, beside those that are there."""
        held = self.config.read_text("utf-8") if self.config.exists() else ""
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in {**self.values, **changes}.items() if value is not None
        ]
        self.config.write_text(held + "\n".join([f"[profiles.{name}]", *lines, "", ""]), "utf-8")

    def sign_in(self, name: str = "work", user: str = "ann", **more: Any) -> oidcclient.Session:
        """Sign somebody in with the library, as `oidcclient login` would."""
        hooks, resource = more.pop("hooks", ()), more.pop("resource", None)
        client = oidcclient.Client(
            self.provider.issuer,
            self.provider.client_id,
            scopes=["openid", "profile", "email", "offline_access"],
            store=oidcclient.FileStore(self.sessions),
            policy=oidcclient.Policy(allow_http_loopback=True),
            profile=name,
            hooks=hooks,
        )
        browser = self.provider.browser(user)
        with client:
            session = client.login(open_browser=browser, timeout=30, resource=resource)
        browser.join()
        return session

    def age(self, session: oidcclient.Session, seconds: float) -> None:
        """Let a stored session be older than it is, its ID Token too."""
        store = oidcclient.FileStore(self.sessions)
        record = store.load(session.key)
        assert record is not None
        tokens = {
            resource: replace(
                token, expires_at=(token.expires_at or 0.0) - seconds, issued_at=(token.issued_at or 0.0) - seconds
            )
            for resource, token in record.tokens.items()
        }
        claims = {**record.claims, "exp": record.claims["exp"] - seconds}
        store.save(replace(record, tokens=tokens, claims=claims))

    def call(self, *words: str, stdin: bytes | None = None) -> Result:
        """Run the command in this process."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        if stdin is not None:
            self._patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        with redirect_stdout(out), redirect_stderr(err):
            code = main(list(words))
        return Result(code, *(stream.buffer.getvalue().decode("utf-8") for stream in (out, err)))

    def run(self, *words: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> Result:
        """Run the command as a program of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "oidcclient", *words],
            input=stdin,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, **(env or {})},
        )
        return Result(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
