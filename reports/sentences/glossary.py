"""What the words of a report mean, for people who do not know the field."""

from __future__ import annotations

GLOSSARY = {
    "accuracy": "the share of test images that the trained model names rightly",
    "accuracy cost": "percentage points of accuracy lost against training without a defense",
    "adaptive": "an attacker who knows the defense and replays it; its numbers count, or the naive "
    "attacker's where they are higher",
    "attack": "a program that tries to learn private data from what leaves the victim",
    "AUC": "the chance that a member gets a higher score than another; 0.5 is guessing, 1 is sure",
    "audit": "a training with canaries inside, which proves a lower bound on epsilon",
    "auditor": "a method by which an audit proves its bound",
    "batch": "images whose gradients are released together",
    "canary": "an example or gradient inserted by a coin, for an audit to find again",
    "candidates": "images of which one made the update, for the attacker to name the right one",
    "clip": "the length to which each example's gradient is cut",
    "confidence": "how often a proven bound holds, at least",
    "control": "the undefended update under the same attack: where it is not rebuilt either, "
    "nothing can be judged",
    "dB": "decibel, the unit of PSNR",
    "defense": "what turns the gradients of single examples into what leaves the victim",
    "delta (δ)": "how likely the promise of epsilon may fail",
    "epoch": "one pass over the training data",
    "epsilon (ε)": "how much an update may reveal of any one person, at most; the lower the "
    "better, and ∞ is no guarantee. Claimed: by the defense's accountant. At least: proven by an "
    "audit. Provable at most: what the audit could have shown",
    "false alarm, FPR": "the share of others who are accused of being members",
    "gain over guessing": "PSNR above the best guess without the update, image by image",
    "guessing": "the best guess without the update: the nearest of the attacker's own images",
    "head, backbone": "a linear layer, fitted privately; what is frozen below it and makes its "
    "features",
    "image": "a private image",
    "interval [low, high]": "holds the true value in 95 of 100 such measurements",
    "label": "the class of an image",
    "leaks": "an attacker gets measurably more than by guessing",
    "local steps": "what a client trains before it sends; the update is then the difference of its "
    "weights",
    "LPIPS": "distance of two images to a network's eye; 0 is equal, lower is closer",
    "mask": "which coordinates of an update are kept; that of dprs is random and public, so "
    "that the attacker replays it",
    "member": "an example that was trained on; all others are non-members",
    "most frequent class": "the accuracy of always naming the commonest class",
    "naive": "an attacker who ignores the defense, and makes every defense look good",
    "named at once": "how often the attacker names the image that made the update at the first try",
    "noise": "noise multiplier: the standard deviation of the added noise, over the clip",
    "p": "how likely such a difference is by chance, corrected for all that were compared",
    "PRV, RDP": "two ways to account for epsilon over a training; both are upper bounds",
    "PSNR": "how close two images are, in decibel; 20 shows the picture, 60 is exact",
    "rate": "the share of a gradient's coordinates that a sparse update drops",
    "record": "what one run leaves behind, with the command that makes it again",
    "refuted": "a measurement contradicts what is guaranteed: the guarantee is false",
    "release": "what leaves the victim: the update, and what is public of how it was made",
    "sample": "how many images, members or canaries a verdict rests on",
    "Scenario": "all that decides a result, seed included; equal Scenarios have one folder",
    "seed": "the number that starts all random draws of a run",
    "setting": "a defense at its options",
    "shadow model": "a model that the attacker trains, to learn how members look",
    "SSIM": "how alike the structure of two images is; 1 is equal",
    "study": "settings that differ in the defense alone, and may be compared",
    "target": "the trained model whose members are sought",
    "TPR": "the share of members who are found, at a stated share of false alarms",
    "unbroken": "these attacks found nothing beyond guessing; that is no proof of privacy",
    "unjudged": "nothing was found, and nothing can be said: the measurement could not have "
    "found it",
    "update": "what a training step sends: the gradient, or the difference of weights after local "
    "steps",
    "victim": "a model, its loss, the private images, and how it is trained",
}
"""Word -> its meaning, in alphabetical order."""


def glossary_page() -> str:
    """The words as a page of the docs."""
    rows = [f"| {word} | {meaning} |" for word, meaning in GLOSSARY.items()]
    return "\n".join(["# Words", "", "| word | meaning here |", "|---|---|", *rows, ""])
