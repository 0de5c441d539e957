"""Rewrite the table of keys in config/README.md from the schema: `python scripts/config_docs.py [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
README = ROOT / "config/README.md"
BEGIN, END = "<!-- keys: written by scripts/config_docs.py -->\n", "<!-- end of keys -->\n"


def rows(entry: dict, schema: dict, path: str) -> Iterator[tuple[str, str, str, str]]:
    """Path, what is allowed, default and meaning of every key below ``entry``."""
    for key, sub in entry.get("properties", {}).items():
        reference = schema["$defs"][sub["$ref"].rsplit("/", 1)[1]] if "$ref" in sub else {}
        sub = {**reference, **sub}
        meaning = " ".join(sub.get("description", "").split())
        if "x-for" in sub:
            meaning += f" ({', '.join(sub['x-for'])})"
        if not sub.get("properties"):
            default = "required" if key in entry.get("required", ()) or sub.get("x-required") else _yaml(sub.get("default", "-"))
            yield f"{path}{key}", _allowed(sub), default, meaning
        else:
            yield f"{path}{key}", "mapping", "", meaning
            yield from rows(sub, schema, f"{path}{key}.")


def _yaml(value: object) -> str:
    return "null" if value is None else yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("...").strip()


def _allowed(sub: dict) -> str:
    if "enum" in sub:
        return ", ".join(map(str, sub["enum"]))
    if "anyOf" in sub:
        return "a calculator or null"
    types = sub.get("type", "any")
    text = types if isinstance(types, str) else " or ".join(types)
    words = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    return " ".join([text, *(f"{sign} {sub[key]}" for key, sign in words.items() if key in sub)])


def table(schema: dict) -> str:
    """The keys of the whole config, as Markdown."""
    parts = [("", schema)]
    named = {"datasets": "dataset", "models": "model", "methods": "method", "testsets": "testset", "ablations": "ablation"}
    named["libraries"] = "library"
    named["generation.methods"] = "sampler"
    parts += [(f"{plural}.NAME.", schema["$defs"][single]) for plural, single in named.items()]
    text = ""
    for path, entry in parts:
        text += f"\n### {path.removesuffix('.') or 'Top level'}\n\n| key | allowed | default | meaning |\n|---|---|---|---|\n"
        for cells in rows(entry, schema, ""):
            text += "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{cells[0]}`", *cells[1:])) + " |\n"
    return text + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the table is out of date")
    schema = yaml.safe_load((ROOT / "config/schema/config.schema.yaml").read_text(encoding="utf-8"))
    old = README.read_text(encoding="utf-8")
    before, rest = old.split(BEGIN)
    new = before + BEGIN + table(schema) + END + rest.split(END)[1]
    if parser.parse_args().check:
        return int(old != new)
    README.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
