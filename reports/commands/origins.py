"""What a Scenario names but does not hold: code, folders and weights that may change under it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import defenses
from defenses import BadInput
from defenses.foreign import ZOOS, import_object, is_own
from defenses.sources import source_digest
from reports.commands.listing import source
from reports.records.keyed import Keyed

FOLDER = "folder:"


class Noting(Protocol):
    """A Record, as far as its environment goes."""

    @property
    def environment(self) -> dict[str, Any]:
        """Facts beside the numbers."""
        ...


R = TypeVar("R", bound=Noting)
S = TypeVar("S", bound=Keyed)


def origins(document: Mapping[str, Any]) -> dict[str, str]:
    """Digests by field of what decides a result beyond the Scenario's own words.

    Args:
        document: of a Scenario of any family, or a Training, that the user's own flags say;
            code that it names is imported.

    Returns:
        Field -> hex digits, for one's own code (``pkg.module:object``, and defenses that other
        packages register), the files of a folder of images, and a file of weights; nothing for
        what comes with this project, nor for the private images of a secure training.

    Raises:
        BadInput: something that it names is not there.
    """
    found = {
        # Who has all of the images but one could ask a digest of them for the last.
        "data": "" if document.get("secure") else _data(document.get("data")),
        "public": _data(document.get("public")),
        "model": _code(document.get("model"), "model"),
        "backbone": _backbone(document.get("backbone")),
        "method": _code(document.get("method"), "method"),
        # What a private head has for a defense is its method.
        "defense": _defenses(
            [] if "method" in document else [document.get("defense"), *document.get("against", ())]
        ),
        "attack": _all(_code(name, "attack") for name in _attacks(document)),
        "weights": _file(document.get("weights")),
        "state": _file(document.get("state")),
    }
    return {field: digest for field, digest in found.items() if digest}


def note(document: Mapping[str, Any], make: Callable[[], R]) -> R:
    """The Record that ``make`` returns, with the `origins` as they were before, in its environment.

    Before, for a file that is edited meanwhile is not what the Record was made of.
    """
    before = origins(document)
    record = make()
    record.environment["origins"] = before
    return record


def run_study(
    scenario: S, study: Callable[..., R], command_line: Callable[[S], str], **context: Any
) -> R:
    """The Record of a Scenario, with its `origins` and the command that makes it again.

    Args:
        scenario: what is studied.
        study: Scenario and context -> Record.
        command_line: Scenario -> the command.
        **context: what decides no result: paths, device, progress.
    """
    record = note(scenario.document(), lambda: study(scenario, **context))
    record.environment["command"] = command_line(scenario)
    return record


def mark(document: Mapping[str, Any]) -> str:
    """A few hex digits of the `origins`, to be put in the names of kept pieces; empty for none."""
    found = origins(document)
    if not found:
        return ""
    return "-" + hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:10]


def _attacks(document: Mapping[str, Any]) -> list[str]:
    names = [document.get("attack"), *document.get("attacks", ()), *document.get("methods", ())]
    return [str(name).partition(",")[0] for name in names if name]


def _data(spec: str | None) -> str:
    if not spec or ":" not in spec:
        return ""
    if not spec.startswith(FOLDER):
        return _code(spec, "data")
    # What the loader lists: nothing hidden, no results that a command left there since, and what
    # lies in a zip.
    place = source(Path(spec.removeprefix(FOLDER)).expanduser())
    found = hashlib.sha256()
    for name in sorted(place.files):
        found.update(json.dumps(name).encode())
        try:
            with place.open(name) as file:
                found.update(hashlib.file_digest(file, "sha256").digest())  # type: ignore[arg-type]
        except OSError as error:
            raise BadInput(f"{place.path}/{name} cannot be read: {error}") from error
    return found.hexdigest()


def _code(spec: str | None, what: str) -> str:
    return source_digest(import_object(spec, what)) if spec and is_own(spec, what) else ""


def _backbone(spec: str | None) -> str:
    known = spec is not None and spec.partition(":")[0] in ZOOS
    return "" if known else _code(spec, "backbone")


def _defenses(names: Iterable[str | None]) -> str:
    parts = [part for name in names if name for part in name.split("+")]
    return _all(source_digest(defenses.registry.find(part)) for part in parts)


def _all(digests: Iterable[str]) -> str:
    kept = [digest for digest in digests if digest]
    return hashlib.sha256("".join(kept).encode()).hexdigest() if kept else ""


def _file(name: str | None) -> str:
    if not name or name == "untrained":
        return ""
    try:
        with open(name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}") from error
