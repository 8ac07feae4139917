"""Documented ways to get differentially private training wrong, planted for tests alone."""

from tests.zoo import clipping, keys, mixing, noise, sampling, sparse_vector, steps
from tests.zoo.specimen import Specimen, builder, private

BUGS = [
    Specimen(
        "sensitivity off by the batch size",
        "Tramer et al. 2022, arXiv 2202.12219",
        "calibration",
        noise.OffByBatchSize,
        refuted=True,
    ),
    Specimen(
        "clipping after aggregation",
        "AiDotNet PR 1318, APPFL issue 349",
        "sensitivity",
        clipping.AfterAggregation,
        refuted=True,
    ),
    Specimen(
        "noise before clipping", "dpgan issue 4", "calibration", noise.BeforeClipping, refuted=True
    ),
    Specimen(
        "noise skipped on one branch", "NVFlare issue 343", "calibration", noise.SkippedBranch
    ),
    Specimen(
        "accepted coordinates that are not drawn leave raw",
        "NVFlare issue 343, issue 1214",
        "calibration",
        sparse_vector.LeavesAcceptedRaw,
    ),
    Specimen("one key for all layers", "jax PR 3646", "independence", keys.SameKeyForLayers),
    Specimen(
        "one key for all classes",
        "google-research dp_transfer (arXiv 2205.02973)",
        "independence",
        keys.SameKeyForClasses,
    ),
    Specimen(
        "one key for all steps",
        "google-research dp_transfer (arXiv 2205.02973)",
        "independence",
        keys.SameKeyForSteps,
    ),
    Specimen(
        "shuffled batches accounted as Poisson",
        "Chua et al. 2024, arXiv 2403.17673; opacus PR 128",
        "sampling",
        sampling.Shuffled,
    ),
    Specimen(
        "fixed batches accounted as Poisson",
        "Chua et al. 2024, arXiv 2403.17673; Handcrafted-DP issue 2",
        "sampling",
        sampling.Fixed,
    ),
    Specimen(
        "data set size in the expected batch size",
        "opacus issues 571, 819",
        "sizes",
        steps.SizeLeaks,
    ),
    Specimen(
        "clipping norm ignored", "opacus PR 664", "sensitivity", clipping.ClipIgnored, refuted=True
    ),
    Specimen(
        "noise std proportional to C^2",
        "SPRINT_gan issue 5",
        "calibration",
        noise.SquaredClip,
        refuted=True,
    ),
    Specimen(
        "raw sums accumulated under one noise draw",
        "opacus PR 203",
        "memory",
        steps.RawAccumulation,
        refuted=True,
    ),
    Specimen(
        "tied parameters counted as new examples",
        "opacus issue 413, PR 417",
        "neighbours",
        mixing.TiedTwice,
        net=mixing.Tied,
    ),
    Specimen(
        "NaN survives clipping",
        "Cebere et al. 2026, arXiv 2602.17454; google/differential-privacy PR 405",
        "finite",
        clipping.NaNSurvives,
    ),
    Specimen(
        "microbatches double the sensitivity",
        "tensorflow/privacy issue 620; arXiv 2303.00654",
        "sensitivity",
        clipping.Microbatches,
    ),
    Specimen(
        "sampler swapped behind the accountant",
        "opacus issues 813, 600",
        "sampling",
        sampling.Weighted,
    ),
    Specimen(
        "accounting that counts micro-steps",
        "jax_privacy issues 234, 288",
        "releases",
        steps.MicroSteps,
        refuted=True,
    ),
    Specimen(
        "batch normalisation mixes examples",
        "opacus issue 319",
        "neighbours",
        mixing.BatchNormMixes,
        net=mixing.standardised_net,
    ),
    Specimen(
        "augmentations clipped one by one and summed",
        "opacus issue 461; De et al. 2022, arXiv 2204.13650",
        "neighbours",
        mixing.ViewsApart,
        changed={"views": 4},
    ),
    Specimen(
        "noise on a data-dependent support only",
        "Ghazi et al. 2023, arXiv 2311.08357",
        "support",
        noise.OnSupport,
    ),
    Specimen(
        "parameters clipped one by one", "fedbiomed issue 1443", "sensitivity", clipping.ByLayer
    ),
    Specimen(
        "divided by the realised batch size", "arXiv 2605.15648", "divisor", steps.RealisedBatch
    ),
]

__all__ = ["BUGS", "Specimen", "builder", "private"]
