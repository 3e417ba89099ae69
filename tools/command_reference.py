"""Write docs/command/reference.md from what `oidcclient --help` is made of; --check tells whether it is current."""

import importlib
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from oidcclient.cli.app import COMMANDS, group
from oidcclient.cli.config import KEYS
from oidcclient.cli.exits import MEANINGS
from oidcclient.cli.variables import VARIABLES

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "command" / "reference.md"
SCHEMAS = ROOT / "src" / "oidcclient" / "cli" / "schema"

HEAD = """# Reference of the command

<!-- Written by tools/command_reference.py from what --help is made of. Change it there. -->

`oidcclient COMMAND --help` says the same at the terminal."""


def reference() -> str:
    """Return the page."""
    parts = [HEAD, "## Commands", command_table()]
    parent = click.Context(group, info_name="oidcclient", **group.context_settings)
    for name, (module, _) in COMMANDS.items():
        command = importlib.import_module(f"oidcclient.cli.commands.{module}").command
        parts += command_parts(command, click.Context(command, parent=parent, info_name=name))
    parts += ["## Exit codes", table("code", "meaning", ((str(code), text) for code, text in MEANINGS.items()))]
    parts += ["## Variables of the environment", table("variable", "meaning", code_rows(VARIABLES.items()))]
    parts += ["## Keys of a profile", table("key", "value", key_rows()), addon_keys()]
    parts += ["## JSON", "What `--json` writes, as [JSON Schema](https://json-schema.org/draft/2020-12/schema)."]
    parts += [schema for path in sorted(SCHEMAS.glob("*.json")) for schema in schema_parts(path)]
    return "\n\n".join(parts).rstrip() + "\n"


def command_table() -> str:
    """Return the list of commands."""
    rows = ((f"[`{name}`](#oidcclient-{name})", text) for name, (_, text) in COMMANDS.items())
    return table("command", "what it does", rows)


def command_parts(command: click.Command, context: click.Context) -> Iterator[str]:
    """Return what is to say of a command, and of those below it."""
    yield f"### {context.command_path}"
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    yield command.help or ""
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    records = [record for option in options if (record := option.get_help_record(context))]
    yield table("option", "meaning", ((f"`{names}`", text) for names, text in records))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from command_parts(below, click.Context(below, parent=context, info_name=name))


def key_rows() -> Iterator[tuple[str, str]]:
    """Return the keys of a profile."""
    for key, (kind, text) in KEYS.items():
        yield f"`{key}`", f"{kind}. {text}"


def addon_keys() -> str:
    """Say which keys the add-on brings."""
    from oidcclient_dpop.command import ADDON  # noqa: PLC0415 - one of several distributions

    rows = ((f"`{option.key}`", option.help) for option in ADDON.options)
    return "With `oidcclient-dpop` installed:\n\n" + table("key", "value", rows)


def schema_parts(path: Path) -> Iterator[str]:
    """Return a schema with its title."""
    schema = json.loads(path.read_text("utf-8"))
    yield f"### {path.stem}"
    yield f"{schema['title'] if path.stem == 'error' else '`' + schema['title'] + '`'}"
    yield f"```json\n{json.dumps({key: value for key, value in schema.items() if key != 'title'}, indent=2)}\n```"


def code_rows(rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Return rows whose first column is code."""
    for name, text in rows:
        yield f"`{name}`", text


def table(first: str, second: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of two columns."""
    lines = [f"| {first} | {second} |", "|---|---|"]
    for left, right in rows:
        lines.append(f"| {escaped(left)} | {escaped(right)} |")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Return text that stays within its column."""
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Write the page, or with --check return 1 where it is not current."""
    text = reference()
    if sys.argv[1:] == ["--check"]:
        return int(not PAGE.exists() or PAGE.read_text("utf-8") != text)
    PAGE.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
