"""The command line through its real entry point."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import cross_entropy

import defenses
import victims
from attacks import Scenario, run
from attacks.invert import bench, command
from attacks.invert.__main__ import PROG, main
from defenses import stream
from defenses.errors import PassedOver
from reports import records
from reports.commands.entry import run_command
from tests import fresh

ROOT = Path(__file__).parents[3]
QUICK = ["--model", "linear", "--data", "digits", "--images", "2", "--practice", "0"]
QUICK += ["--iterations", "10", "--evaluations", "20", "--candidates", "8"]
FORM = [*QUICK[:4], "--images", "1", "--attack", "analytic", "--candidates", "8"]


def test_the_main_job_writes_prints_and_draws(invoke, tmp_path):
    code, out, _ = invoke("--defense", "dprs", "--rate", "0.5", *QUICK, "--out", "here")
    assert code == 0
    result = json.loads((tmp_path / "here/result.json").read_text())
    parts = {"scenario", "rows", "summary", "baseline", "bounds", "environment"}
    assert set(result) == {"version", "kind", *parts}
    assert result["scenario"]["defense_options"] == {"rate": 0.5}
    cells = ["none/adaptive", "dpsgd/adaptive", "dpsgd/naive", "dprs/adaptive", "dprs/naive"]
    later = [f"dprs@{s}/{c}" for s in (500, 999) for c in ("adaptive", "naive")]
    assert list(result["summary"]) == [*cells, *later]
    assert len(result["rows"]) == 18
    assert result["summary"]["none/adaptive"]["psnr"]["mean"] == 60.0
    assert set(load_file(tmp_path / "here/arrays.safetensors")) == {
        "truth",
        "prior",
        *result["summary"],
    }
    assert (tmp_path / "here/reconstructions.png").stat().st_size > 10_000
    assert not (tmp_path / "here/partial").exists()
    assert "Its sparsity buys no epsilon" in out
    assert "none: no privacy guarantee (epsilon = inf)" in out
    assert "LPIPS unavailable: LPIPS's AlexNet needs images of at least 31x31 pixels" in out
    assert re.search(r"\nunjudged: dprs .*: cannot be judged: too few images to say\n", out)
    assert out.rstrip().endswith("reconstructions.png")
    code, out, _ = invoke("--defense", "dprs", "--rate", "0.5", *QUICK, "--out", "here")
    assert code == 0
    assert "holds this result already" in out


def test_epsilon_sets_the_noise_and_is_kept(invoke, tmp_path):
    code, out, _ = invoke(*FORM, "--epsilon", "3", "--naive", "--out", "o")
    assert code == 0
    bound = json.loads((tmp_path / "o/result.json").read_text())["bounds"]["dprs"]
    assert 2.95 < bound["epsilon"] <= 3
    assert bound["options"]["noise_multiplier"] > 1
    assert bound["top1_of_1000"] < 0.02
    assert "adaptive" not in re.sub(r"none +adaptive", "", out.split("epsilon = inf")[0])


BAD = [
    (
        ["--defense", "dppp"],
        "unknown defense 'dppp'; known: adaptive, ats, dprs, dpsgd, dptopk, dssgd, gaussian",
    ),
    (["--attack", "gepping"], "unknown attack 'gepping'; did you mean geiping? known: analytic"),
    (["--model", "vgg"], "unknown model 'vgg'; known: convnet"),
    (["--data", "imagenet"], "unknown data 'imagenet'; known: photos, digits"),
    (["--rate", "1.5"], "rate is 1.5; it must be in [0, 1)"),
    (["--rate", "-0.1"], "rate is -0.1; it must be in [0, 1)"),
    (["--clip", "-1"], "clip is -1; it must be > 0"),
    (["--noise-multiplier", "-1"], "noise_multiplier is -1; it must be >= 0"),
    (["--noise-multiplier", "nan"], "noise_multiplier must be a number, not nan"),
    (["--defense", "dpsgd", "--rate", "0.9"], "defense dpsgd has no --rate; dprs, dptopk, gep, "),
    (
        ["--attack", "prior", "--iterations", "9"],
        "gep, rgp have it; attack prior has no --iterations; ",
    ),
    (["--levels", "9"], "unrecognized arguments: --levels 9; --help with the same choices"),
    (["--defense", "topk", "--epsilon", "3"], "'topk' guarantees no epsilon"),
    (
        ["--epsilon", "8", "--noise-multiplier", "1"],
        "give one of --epsilon, which sets the noise, and --noise-multiplier",
    ),
    (["--epsilon", "-2"], "epsilon is -2; it must be > 0"),
    (["--delta", "2"], "delta is 2"),
    (["--images", "many"], "invalid int value: 'many'"),
    (["--images", "0"], "images and batch must be >= 1"),
    (["--images", "4", "--batch", "8"], "the batch of 8 is larger than the 4 images"),
    (["--images", "9999"], "photos has 192 images in this split; 9999 were asked for"),
    (["--budget", "0"], "budget is 0; it must be > 0"),
    (["--data", "folder:nowhere"], "nowhere does not exist"),
    (["--data", "folder:."], "no images for 'test' in class sub-folders"),
    (["--model", "tests.victims.test_victims:too_few"], "gives (1, 9) for one image"),
    (
        ["--attack", "lti", "--data", "tests.attacks.invert.methods.test_lti:few"],
        "attack 'lti' does not apply: it learns from at least 32 images, and has 20",
    ),
    (["--attack", "lti", "--learn", "31"], "learn is 31; it must be >= 32"),
    (["--attack", "lti", "--batch", "2"], "it takes one image per batch, not 2"),
    (["--attack", "analytic"], "attack 'analytic' does not apply: the model's first layer"),
    (["--state", "absent.safetensors"], "--state absent.safetensors: No such file"),
    (["--observation", "absent.safetensors"], "absent.safetensors is not a readable"),
    (["--step", "5"], "--step is of a run of victims.train: give --checkpoint too"),
    (["--observation", "."], ". is not a readable safetensors file"),
    (["--defense", "json:loads"], "'json:loads' is not a dataclass"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(a) for a, _ in BAD])
def test_bad_input_gets_one_line_exit_2_and_nothing_written(invoke, tmp_path, arguments, message):
    code, out, err = invoke(*arguments)
    assert code == 2
    assert message in err
    assert err.startswith(f"{PROG}: ")
    last = err.rsplit("\r", 1)[-1]
    assert len(last.strip().splitlines()) == 1
    assert "Traceback" not in err + out
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def captured(tmp_path):
    """A gradient of the model that the command builds at seed 0, and where it is stored."""
    shape = (1, 8, 8)
    model = victims.load_model("linear", image_shape=shape, generator=stream(0, "model"))
    data = victims.load_data("digits", count=1)
    grads = victims.per_example_gradients(model, cross_entropy, data.images, data.labels)
    path = tmp_path / "captured.safetensors"
    update = {k: v[0] for k, v in grads.items()}
    save_file(update, path)
    return path, update, data


def test_an_observation_is_attacked_without_the_truth(invoke, captured, tmp_path):
    path, _, data = captured
    told = ["--observation", path, "--defense", "none", "--practice", "0", "--noises", "2"]
    code, out, _ = invoke(*QUICK[:4], *told, "--out", "o")
    assert code == 0
    assert "unscored" in out
    row = json.loads((tmp_path / "o/result.json").read_text())["rows"][0]
    assert row["psnr"] is None
    assert row["label_found"] == data.labels[0]
    guess = load_file(tmp_path / "o/arrays.safetensors")["none/adaptive"]
    assert torch.allclose(guess, data.images, atol=1e-4)


def spoil(kind, path, update):
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    elif kind == "pickle":
        torch.save(update, path)
    elif kind == "name":
        save_file({"other": torch.ones(3)}, path)
    elif kind == "extra":
        save_file({**update, "other": torch.ones(3)}, path)
    elif kind == "shape":
        save_file({k: v[:1].contiguous() for k, v in update.items()}, path)
    elif kind == "nan":
        save_file({k: v * float("nan") for k, v in update.items()}, path)
    else:
        save_file({k: torch.zeros_like(v) for k, v in update.items()}, path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("truncated", "is not a readable safetensors file"),
        ("pickle", "is not a readable safetensors file"),
        ("name", "lacks the parameter '1.1.bias'"),
        ("extra", "holds 'other', which the model does not have"),
        ("shape", "is (1, 64); the model has (10, 64)"),
        ("nan", "must hold finite"),
        ("zero", "nothing to attack"),
    ],
)
def test_a_spoilt_observation_is_refused(invoke, captured, tmp_path, kind, message):
    path, update, _ = captured
    spoil(kind, path, update)
    code, _, err = invoke(*QUICK[:4], "--observation", path, "--defense", "none", "--out", "o")
    assert (code, message in err) == (2, True), err
    assert not (tmp_path / "o").exists()


def test_a_model_whose_gradients_are_nan_is_refused(invoke, tmp_path):
    model = victims.load_model("lenet", generator=stream(0, "model"))
    state = {k: v * float("nan") for k, v in model.state_dict().items()}
    save_file(state, tmp_path / "nan.safetensors")
    code, _, err = invoke("--state", "nan.safetensors", "--out", "o")
    assert code == 2
    assert "holds NaN or infinite values" in err.splitlines()[-1]
    assert not (tmp_path / "o").exists()


def test_the_docs_own_defense_runs_as_shown(invoke, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "defenses.md").read_text()
    (tmp_path / "mydefense.py").write_text(page.split("```python\n")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(defenses.registry, "_classes", dict(defenses.registry._classes))
    arguments = ["--defense", "mydefense:Sign", "--scale", "0.01", *FORM, "--out", "o"]
    code, out, err = invoke(*arguments)
    assert code == 0, err
    assert "mydefense:Sign: no privacy guarantee (epsilon = inf)." in out


def test_bench_runs_small(capsys):
    assert (
        bench.main(["--data", "digits", "--images", "2", "--budget", "5", "--models", "linear"])
        == 0
    )
    assert "| linear | auto | none | adaptive | 60.0 " in capsys.readouterr().out


def quick_scenario(seed=0):
    options = {"iterations": 5, "practice": 1}
    few = {"data": "digits", "images": 1, "columns": "adaptive", "against": ("none",)}
    few |= {"model": "linear", "evaluations": 12, "candidates": 8}
    return Scenario(**few, attack_options=options, seed=seed, budget=100)


def test_the_same_seed_gives_the_same_record_byte_for_byte(tmp_path):
    first = records.canonical(run(quick_scenario()))
    assert records.canonical(run(quick_scenario(), out=tmp_path)) == first
    # The second run left pieces; a third takes them up and comes to the same.
    assert len(list((tmp_path / "partial").glob("*.json"))) == 4
    assert records.canonical(run(quick_scenario(), out=tmp_path)) == first
    assert records.canonical(run(quick_scenario(seed=1))) != first


def test_a_killed_run_keeps_its_pieces_and_resumes(tmp_path):
    line = ["--data", "digits", "--model", "mlp", "--candidates", "8"]
    line += ["--attack", "bayes", "--iterations", "15", "--no-cooling", "--adaptive", "--against"]
    line += ["--images", "4", "--budget", "100", "--out", str(tmp_path / "run")]
    process = fresh.start("-m", "attacks.invert", *line, cwd=tmp_path)
    pieces = tmp_path / "run" / "partial"
    process.until(lambda: list(pieces.glob("*.json")))
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "run" / "result.json").exists()
    kept = {p.name: p.stat().st_mtime_ns for p in pieces.glob("*.json")}
    assert kept
    assert main(line) == 0
    assert records.read(tmp_path / "run") is not None
    chosen = {"data": "digits", "model": "mlp", "attack": "bayes", "images": 4, "budget": 100}
    chosen["candidates"] = 8
    chosen |= {"attack_options": {"iterations": 15}, "defense_options": {"cooling": False}}
    whole = run(Scenario(columns="adaptive", against=(), **chosen))
    assert records.canonical(records.read(tmp_path / "run")) == records.canonical(whole)


def test_what_a_folder_passes_over_is_said_once(capsys):
    def shown(message, category, filename, lineno, file=None, line=None):
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))

    def twice(argv):
        for text in ("pets: passed over 1 hidden", "cars: passed over 2 hidden"):
            for _ in range(2):
                with warnings.catch_warnings():
                    warnings.simplefilter("always")
                    warnings.showwarning = shown  # pytest keeps them for itself otherwise
                    warnings.warn(text, PassedOver, stacklevel=1)
        return 0

    with pytest.raises(SystemExit):
        run_command(twice, "prog")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "prog: warning: pets: passed over 1 hidden",
        "prog: warning: cars: passed over 2 hidden",
    ]


@pytest.mark.parametrize(
    ("typed", "against", "again"),
    [
        ("--defense none", (), "--defense none"),
        ("--defense none --against dpsgd", ("dpsgd",), "--defense none --against dpsgd"),
        ("--defense dpsgd", ("none", "dpsgd"), "--defense dpsgd"),
    ],
)
def test_whoever_asks_for_no_defense_asks_for_no_other(typed, against, again):
    asked = command.scenario(command.parse(typed.split()))
    assert asked.against == against
    assert command.command_line(asked) == f"{PROG} {again}"


def test_without_a_control_nothing_stands_in_its_place(invoke):
    code, out, _ = invoke("--defense", "dpsgd", "--against", *FORM, "--out", "here")
    assert code == 0
    assert "control:" not in out and "\n\n\n" not in out
    assert re.search(r"\n\(prior\) +nearest +\d", out)
