"""What numbers say, for people who do not read tables."""

from reports.sentences.panel import panel_sentences
from reports.sentences.sentence import Link, Sentence, plain

__all__ = ["Link", "Sentence", "panel_sentences", "plain"]
