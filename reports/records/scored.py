"""Scores of guesses as Records hold them: each within the range of its kind."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

from reports.records.form import ENDS, Count, ShareOf, Within
from reports.scores.facts import SCORES

Decibel = Annotated[float, Within(*SCORES["psnr"].range)]
Similarity = Annotated[float, Within(*SCORES["ssim"].range)]
Distance = Annotated[float, Within(*SCORES["lpips"].range)]


class ScoreRow(TypedDict):
    """The scores of one guess; None where one could not be had."""

    psnr: Decibel | None
    ssim: Similarity | None
    lpips: Distance | None


class PriorRow(ScoreRow):
    """The best guess at one image without a release, as ``baseline["rows"]`` holds it."""

    image: Count


class MeanDecibel(TypedDict):
    """`Estimate.document` of PSNR."""

    mean: Decibel | None
    low: Decibel | None
    high: Decibel | None
    n: Count


class MeanSimilarity(TypedDict):
    """`Estimate.document` of SSIM."""

    mean: Similarity | None
    low: Similarity | None
    high: Similarity | None
    n: Count


class MeanDistance(TypedDict):
    """`Estimate.document` of LPIPS."""

    mean: Distance | None
    low: Distance | None
    high: Distance | None
    n: Count


class Means(TypedDict):
    """What a column's rows come to, as ``summary`` holds it, and what guesses do.

    Attributes:
        psnr: mean in dB, with its interval, as the others.
        ssim: in [-1, 1].
        lpips: lower is closer.
        labels: share of the batches' labels that were found; missing for guesses.
        top1: share of the images that were named first; missing for guesses.
    """

    psnr: Annotated[MeanDecibel, ENDS]
    ssim: Annotated[MeanSimilarity, ENDS]
    lpips: Annotated[MeanDistance, ENDS]
    labels: NotRequired[ShareOf]
    top1: NotRequired[ShareOf]
