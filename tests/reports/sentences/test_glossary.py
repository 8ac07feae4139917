from __future__ import annotations

import re
from pathlib import Path

from reports.evidence.judgement import WORDS
from reports.sentences.glossary import GLOSSARY, glossary_page
from tests import outcomes

EVERYDAY = {"of", "because", "example", "rank", "runs", "data", "model", "remark", "method"}
EVERYDAY |= {"verdict", "attacked on", "share of the non-members"}
"""Heads of columns that anybody reads."""


def explained(head: str) -> bool:
    words = " ".join(GLOSSARY).lower()
    known = set(re.findall(r"[\wεδ]+", words)) | {word + "s" for word in re.findall(r"\w+", words)}
    return any(word in known for word in re.findall(r"[\wεδ]+", head.lower()))


def test_every_column_of_every_table_and_every_verdict_is_explained(tmp_path):
    outcomes.everything(tmp_path)
    heads = {h for s in outcomes.outline_of(tmp_path).sections for t in s.tables for h in t.heads}
    assert len(heads) > 25
    assert not [head for head in heads - EVERYDAY if not explained(head)]
    assert all(any(word in entry for entry in GLOSSARY) for word in WORDS)
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)


def test_the_docs_have_the_words_of_the_page():
    page = Path(__file__).parents[3] / "docs" / "words.md"
    assert page.read_text(encoding="utf-8") == glossary_page()
