"""Heads that others fit on the same features at the same epsilon, beside `victims.transfer`'s.

python heads_beside.py features f.npz --data fashion-mnist --backbone scatternet-pooled
python heads_beside.py opacus f.npz --epsilon 1 8        # a linear layer by DP-SGD, plainly
python heads_beside.py diffprivlib f.npz --epsilon 1 8   # in an environment of its own:
#   pip install diffprivlib==0.6.6 'scikit-learn<1.6'
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

DELTA, PROJECTED = 1e-5, 128


def features(path: str, data: str, backbone: str) -> None:
    """Write train and test features, rows of norm 1, and labels."""
    from victims.transfer.features import store
    from victims.transfer.prepare import prepare
    from victims.transfer.scenario import Transfer

    found = prepare(Transfer(data=data, backbone=backbone, epsilon=1.0), folder=store())
    np.savez(
        path,
        x=found.problem.features.numpy(),
        y=found.problem.labels.numpy(),
        tests=found.tests.numpy(),
        labels=found.labels.numpy(),
    )


def opacus(known: dict[str, np.ndarray], epsilon: float, seed: int) -> float:
    """Accuracy of DP-SGD on a linear layer: batches of 2,048, 10 epochs, clipping to 1, lr 2."""
    import torch
    from opacus import PrivacyEngine
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(seed)
    rows = TensorDataset(torch.from_numpy(known["x"]), torch.from_numpy(known["y"]))
    model = torch.nn.Linear(known["x"].shape[1], int(known["y"].max()) + 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0, momentum=0.9)
    model, optimizer, loader = PrivacyEngine().make_private_with_epsilon(
        module=model,
        optimizer=optimizer,
        data_loader=DataLoader(rows, batch_size=2048),
        target_epsilon=epsilon,
        target_delta=DELTA,
        epochs=10,
        max_grad_norm=1.0,
    )
    for _ in range(10):
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    with torch.no_grad():
        named = model(torch.from_numpy(known["tests"])).argmax(1).numpy()
    return float((named == known["labels"]).mean())


def diffprivlib(known: dict[str, np.ndarray], epsilon: float, seed: int) -> float:
    """Accuracy of its LogisticRegression (pure epsilon) on a random projection to 128 numbers.

    Its noise is on the objective and grows with the number of features. Rows stay within norm 1.
    """
    from diffprivlib.models import LogisticRegression

    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(draw.normal(size=(known["x"].shape[1], PROJECTED)))[0]
    x, tests = (known[name] @ turn for name in ("x", "tests"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(epsilon=epsilon, data_norm=1.0, random_state=seed, max_iter=300)
        named = model.fit(x, known["y"]).predict(tests)
    return float((named == known["labels"]).mean())


def main() -> None:
    """Write features, or print accuracies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["features", "opacus", "diffprivlib"])
    parser.add_argument("path")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--backbone", default="raw")
    parser.add_argument("--epsilon", nargs="+", type=float, default=[1.0, 8.0])
    parser.add_argument("--seeds", type=int, default=3)
    flags = parser.parse_args()
    if flags.what == "features":
        features(flags.path, flags.data, flags.backbone)
        return
    with np.load(flags.path) as file:
        known = dict(file)
    fit = {"opacus": opacus, "diffprivlib": diffprivlib}[flags.what]
    for epsilon in flags.epsilon:
        found = [100 * fit(known, epsilon, seed) for seed in range(flags.seeds)]
        print(
            f"{flags.what}, epsilon {epsilon:g}: {', '.join(f'{a:.1f}' for a in found)}", flush=True
        )


if __name__ == "__main__":
    main()
