"""What a sweep runs, from its command line and its TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from defenses import BadInput
from defenses.foreign import refuse_code
from reports.sweep.combine import Job, Values, cross

COMMAND = "attacks.invert"
RESERVED = ("command", "seeds", "block")


def jobs_of(
    first: str | None, flags: dict[str, list[str]], code: Collection[str] = ()
) -> list[Job]:
    """The Jobs of a sweep.

    Args:
        first: a command, a file that ends in ``.toml``, or None for ``attacks.invert``.
        flags: given on the command line; they overrule the file's. ``--seeds N`` is seeds 0..N-1.
        code: specs (``pkg.module:object``) in the file that may be imported.

    Raises:
        BadInput: no such file or command, no such Scenario, or other code that the file names.
    """
    if first is None or not first.endswith(".toml"):
        return cross(first or COMMAND, _expand_seeds(flags))
    document = read_study(Path(first))
    jobs: dict[str, Job] = {}
    for block in document.get("block", [{}]):
        merged = {**document, **block}
        refuse_code({k: v for k, v in merged.items() if _flag(k) not in flags}, first, code)
        command = merged.get("command", COMMAND)
        if not isinstance(command, str):
            raise BadInput(f"{first}: command is {command!r}; it must be a text")
        swept = {_flag(k): _values(first, k, v) for k, v in merged.items() if k not in RESERVED}
        if "seeds" in merged and "--seed" not in swept:
            swept["--seeds"] = _values(first, "seeds", merged["seeds"])
        if "--seed" in flags:  # overrules either form
            swept.pop("--seeds", None)
        for job in cross(command, _expand_seeds({**swept, **flags})):
            jobs.setdefault(job.key, job)
    return list(jobs.values())


def read_study(path: Path) -> dict[str, Any]:
    """A study file: flags by name, and ``[[block]]`` tables that each overrule the flags above.

    Raises:
        BadInput: not there, or not TOML of that form.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"no study file {path} ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    blocks = document.get("block", [{}])
    if not isinstance(blocks, list) or not all(isinstance(b, dict) for b in blocks) or not blocks:
        raise BadInput(f"{path}: block must be a table: [[block]]")
    return document


def split_flags(argv: Sequence[str]) -> tuple[str | None, dict[str, list[str]]]:
    """The leading word, if any, and flag -> values. A value is what does not start with ``--``.

    Raises:
        BadInput: a flag given twice.
    """
    words = list(argv)
    first = words.pop(0) if words and not words[0].startswith("--") else None
    flags: dict[str, list[str]] = {}
    current: list[str] = []
    for word in words:
        if word.startswith("--"):
            name, found, value = word.partition("=")
            if name in flags:
                raise BadInput(f"{name} is given twice; give all its values at once")
            current = flags.setdefault(name, [value] if found else [])
        else:
            if not flags:
                raise BadInput(f"{word!r} belongs to no flag")
            current.append(word)
    return first, flags


def _expand_seeds(flags: dict[str, Any]) -> dict[str, Values]:
    """``--seeds N`` as ``--seed``; a flag given bare has the empty value."""
    made: dict[str, Values] = {k: v or [""] for k, v in flags.items() if k != "--seeds"}
    if "--seeds" in flags:
        text = " ".join(flags["--seeds"])
        if not text.isdigit() or int(text) < 1:
            raise BadInput(f"--seeds is {text!r}; it must be a count >= 1 (--seed lists seeds)")
        if "--seed" in flags:
            raise BadInput("give --seeds or --seed, not both")
        made["--seed"] = [str(s) for s in range(int(text))]
    return made


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _values(source: str, name: str, value: Any) -> list[str | list[str]]:
    """A flag's values as texts; a list in a list is one value of a flag that takes several."""
    items = value if isinstance(value, list) else [value]
    if not items:
        raise BadInput(f"{source}: {name} has no values")
    return [
        [_text(source, name, v) for v in item]
        if isinstance(item, list)
        else _text(source, name, item)
        for item in items
    ]


def _text(source: str, name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | str):
        return str(value)
    raise BadInput(f"{source}: {name} has the value {value!r}; numbers, texts, true and false do")
