"""Whatever decides a result, as JSON and as the short name of its folder."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Keyed:
    """A frozen dataclass whose fields decide a result, and nothing that does not.

    The Scenarios of all families are such: a Record holds the document of the one that it is
    about, and its folder is named by the key. Two runs of equal keys come to equal Records.

    Attributes:
        unsaid: names of fields that the document has only where they are not at their default:
            keys of Records from before there was such a field stay as they are.
    """

    unsaid: ClassVar[tuple[str, ...]] = ()

    def document(self) -> dict[str, Any]:
        """The fields as JSON holds them; those of a field that is Keyed itself stand beside them.

        Where both have a field of one name, the outer one's value counts.
        """
        fields = {f.name: (getattr(self, f.name), f.default) for f in dataclasses.fields(self)}
        own = {k: v for k, (v, usual) in fields.items() if v != usual or k not in self.unsaid}
        inner = {k: v for k, v in own.items() if isinstance(v, Keyed)}
        told = {k: v for nested in inner.values() for k, v in nested.document().items()}
        told |= {k: v for k, v in own.items() if k not in inner}
        return json.loads(json.dumps(told))  # type: ignore[no-any-return]

    def key(self) -> str:
        """Ten hex digits that name what is decided."""
        return key_of(self.document())


def key_of(document: Mapping[str, Any]) -> str:
    """Ten hex digits that name what a document decides, whatever the order of its fields.

    Args:
        document: of a `Keyed`, or some of its fields.
    """
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
