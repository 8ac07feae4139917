"""``python -m tests.docs.notebooks [NAME ...]``: run the tutorials and keep their outputs."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))


def execute(path: Path, seconds: int = 300) -> Any:
    """The notebook, run from its first cell in a folder of its own; a cell that fails raises.

    Args:
        path: of the notebook, which is left as it is.
        seconds: that one cell may take.
    """
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{before}"
    try:
        with tempfile.TemporaryDirectory() as folder:
            NotebookClient(
                book,
                timeout=seconds,
                coalesce_streams=True,
                kernel_name="python3",
                resources={"metadata": {"path": folder}},
            ).execute()
    finally:
        os.environ["PYTHONPATH"] = before
    for cell in book.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            # Progress is for who waits.
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return book


def main(names: Sequence[str]) -> None:
    """Run the tutorials of these names, or all, and store each with its outputs."""
    for path in (p for p in TUTORIALS if not names or p.stem in names):
        book = execute(path)
        path.write_text(json.dumps(book, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
