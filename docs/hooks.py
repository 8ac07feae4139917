"""Hooks of mkdocs: pages that lie elsewhere in the repository, and links that lead out of docs/."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changes.md": "CHANGELOG.md",
}
"""Page of the site -> file of the repository that it shows."""
LINK = re.compile(r"\[([^\[\]]*)\]\(([^)#:\s]+)(#[^)]*)?\)")
"""Words, path and anchor of a link within the repository."""
REFERENCE = {
    "attacks": ("attacks", "attacks.invert", "attacks.membership", "attacks.audit"),
    "defenses": ("defenses", "defenses.conformance"),
    "victims": ("victims", "victims.conformance", "victims.transfer"),
    "reports": (
        *("reports", "reports.records", "reports.estimates"),
        *("reports.scores", "reports.detection"),
    ),
}
"""Page of the reference -> public packages on it."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from other files, and every file that a page links to."""
    made = {page: (ROOT / source).read_text("utf-8") for page, source in ELSEWHERE.items()}
    made |= {f"reference/{name}.md": _reference(name) for name in REFERENCE}
    for path in sorted((ROOT / "docs" / "tutorials").glob("*.ipynb")):
        files.remove(files.src_uris[f"tutorials/{path.name}"])
        made[f"tutorials/{path.stem}.md"] = "\n\n".join(_cells(json.loads(path.read_text("utf-8"))))
    own = files.src_uris.get("hooks.py")
    if own:
        files.remove(own)
    for page, text in made.items():
        files.append(File.generated(config, page, content=text))
    texts = {f.src_uri: f.content_string for f in files if f.src_uri.endswith(".md")}
    for page, text in texts.items():
        for _, target, _ in LINK.findall(text):
            path = _path_of(page, target)
            if (ROOT / path).is_file() and path not in ELSEWHERE.values() and not _inside(path):
                uri = _source(path)
                if uri not in files.src_uris:
                    files.append(File.generated(config, uri, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links into the repository into links within the site."""
    uri = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        words, target, anchor = match[1], match[2], match[3] or ""
        path = _path_of(uri, target)
        shown = {source: name for name, source in ELSEWHERE.items()}
        if path in shown:
            goal = shown[path]
        elif _inside(path):
            goal = path.removeprefix("docs/")
        elif (ROOT / path).is_file():
            goal = _source(path)
        elif (ROOT / path).is_dir():
            return words  # a folder is no page
        else:
            return match[0]
        goal = goal.replace(".ipynb", ".md")
        start = posixpath.dirname(uri) or "."
        return f"[{words}]({posixpath.relpath(goal, start)}{anchor})"

    return LINK.sub(turned, markdown)


def _path_of(page: str, target: str) -> str:
    """Where a page's link leads, as a path of the repository."""
    source = ELSEWHERE.get(page, f"docs/{page}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), target))


def _inside(path: str) -> bool:
    """Whether mkdocs finds a file by itself."""
    return path.startswith("docs/") and not path.startswith(("docs/examples/", "docs/studies/"))


def _source(path: str) -> str:
    # A browser shows text; Python's own ending would be downloaded, or run as a page of its own.
    return f"source/{path}.txt"


def _reference(name: str) -> str:
    return "\n\n".join([f"# {name}", *(f"::: {package}" for package in REFERENCE[name])])


def _cells(book: dict[str, Any]) -> Iterator[str]:
    """A notebook's cells as Markdown, with what they gave."""
    for cell in book["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield text
            continue
        yield f"```python\n{text}\n```"
        for output in cell["outputs"]:
            if "text" in output:
                yield f"```text\n{''.join(output['text']).rstrip()}\n```"
                continue
            data = {kind: "".join(part) for kind, part in output["data"].items()}
            if "text/html" in data:
                yield f'<div class="output">{_one_line(data["text/html"])}</div>'
            elif "image/png" in data:
                yield f'<img alt="" src="data:image/png;base64,{data["image/png"].strip()}">'
            else:
                yield f"<pre>{escape(data.get('text/plain', ''))}</pre>"


def _one_line(html: str) -> str:
    # A blank line would end the HTML for Markdown; line breaks within <pre> stay as references.
    return html.replace("\n", "&#10;" if "<pre" in html else " ")
