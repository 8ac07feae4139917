"""Defenses of a user's own with a mistake in them are refused in one line."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import defenses
from attacks import Scenario, run
from defenses import BadInput, Defense, Release
from defenses.foreign import code_in, import_object, refuse_code

QUICK = {"data": "digits", "model": "linear", "images": 1, "against": (), "columns": "adaptive"}


@dataclass(frozen=True)
class NoReplay(Defense):
    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        return Release({k: g.sum(0) for k, g in grads.items()}, self.public(batch_size), 4)


@dataclass(frozen=True)
class Unsummed(NoReplay):
    def release(self, grads, *, step=0, steps=1, batch_size=None, generator):
        return Release(grads, self.public(1), 4)

    def replay(self, grads, release):
        return {k: g.sum(0) for k, g in grads.items()}


def test_a_defense_without_a_replay_is_refused_by_the_method_it_lacks():
    with pytest.raises(BadInput, match="lacks replay"):
        defenses.get(f"{__name__}:NoReplay")


def test_an_update_that_keeps_the_examples_apart_is_refused_by_its_shape():
    with pytest.raises(BadInput, match=r"has shape \(1, 10.*the parameter's is \(10"):
        run(Scenario(defense=f"{__name__}:Unsummed", **QUICK, evaluations=2))


def test_every_field_that_is_imported_is_looked_at():
    fields = {"data": "folder:a:b", "public": "folder:x", "weights": "c:\\w"}
    fields |= {"model": "folder:x", "defense": "dpsgd+a.b:C", "against": ["none", "m:N"]}
    assert code_in(fields) == {"folder:x": "model", "dpsgd+a.b:C": "defense", "m:N": "against"}
    refuse_code(fields, "f", ["folder:x", "dpsgd+a.b:C", "m:N"])
    with pytest.raises(BadInput, match="f names 'm:N' as its against"):
        refuse_code(fields, "f", ["folder:x", "dpsgd+a.b:C"])


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("./mine:Own", "is not of the form pkg.module:object"),
        (".mine:Own", "is not of the form pkg.module:object"),
        (":Own", "is not of the form pkg.module:object"),
        ("mine:", "is not of the form pkg.module:object"),
        ("mine.py:Own", "names a file; say mine:Own"),
        ("mine:Own", r"cannot be imported: .*\(mine.py, line 1\)"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_line(spec, told, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match=told):
        import_object(spec, "model")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("mine:netz", r"^model .* cannot be imported: there is no .netz.; did you mean net\?$"),
        ("mine:other", r"^model 'mine:other' cannot be imported: there is no 'other'$"),
        ("raises:net", r"cannot be imported: TypeError: .*NoneType.* \(raises.py, line 2\)$"),
    ],
)
def test_what_is_wrong_with_code_of_ones_own_is_said_with_its_place(
    spec, told, tmp_path, monkeypatch
):
    (tmp_path / "mine.py").write_text("net = None\n")
    (tmp_path / "raises.py").write_text("net = None\nnet + 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BadInput, match=told):
        import_object(spec, "model")
