"""A model, data and a defense that the caller holds as objects."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import nn

import attacks
import defenses
import leakgauge
from defenses import BadInput, Compression

IMAGES = torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 3
QUICK = {"against": (), "attack": "analytic", "images": 2}


@dataclass(frozen=True)
class Half(Compression):
    """The half of it."""

    share: float = defenses.option(0.5, "of the update", low=0)

    def compress(self, mean, plan, generator):
        update = {k: self.share * v for k, v in mean.items()}
        return update, sum(v.numel() for v in update.values())

    def noise(self, release):
        return 0.0


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def test_ones_own_model_and_data_are_attacked_as_objects():
    found = leakgauge.invert(model=net(), data=(IMAGES, LABELS), defense="none", **QUICK)
    assert found.summary["none/adaptive"]["psnr"]["mean"] == 60
    truth = found.arrays["truth"]
    assert all((image == IMAGES).flatten(1).all(1).any() for image in truth)
    again = leakgauge.invert(model=net(), data=(IMAGES, LABELS), defense="none", **QUICK)
    assert again.scenario == found.scenario
    other = net()
    other[1].bias.data += 1
    changed = leakgauge.invert(model=other, data=(IMAGES, LABELS), defense="none", **QUICK)
    assert changed.scenario["model"] != found.scenario["model"]


def test_the_adversarys_own_images_may_be_given():
    record = leakgauge.invert(
        model=net(),
        data=(IMAGES[:2], LABELS[:2]),
        auxiliary=(IMAGES[2:], LABELS[2:]),
        **QUICK,
        defense="none",
    )
    assert record.baseline["auxiliary"]["images"] == 10
    with pytest.raises(BadInput, match="auxiliary goes with data"):
        leakgauge.invert(auxiliary=(IMAGES, LABELS))


def test_a_scenario_takes_an_instance():
    scenario = attacks.Scenario(defense=defenses.get("dpsgd", clip=2.0))
    assert scenario.defense == "dpsgd"
    assert scenario.defense_options["clip"] == 2.0
    assert scenario == attacks.Scenario(
        defense="dpsgd", defense_options=dict(scenario.defense_options)
    )
    own = attacks.Scenario(defense=Half(share=0.25))
    assert own.defense == f"{__name__}:Half"
    assert defenses.get(own.defense, **own.defense_options) == Half(share=0.25)
    attack = attacks.Scenario(attack=attacks.invert.get("geiping"))
    assert attack.attack == "geiping"


def test_an_instance_that_no_name_can_say_is_refused():
    @dataclass(frozen=True)
    class Local(Half):
        """Inside a function."""

    with pytest.raises(BadInput, match="Local lies in no module"):
        attacks.Scenario(defense=Local())
    with pytest.raises(BadInput, match="go with a name"):
        attacks.Scenario(defense=Half(), defense_options={"share": 0.1})
    with pytest.raises(BadInput, match="give a name or an instance"):
        attacks.Scenario(defense=Half)


def test_a_record_is_loaded_by_the_project_s_own_name(tmp_path):
    record = leakgauge.invert(
        model=nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), data=(IMAGES, LABELS),
        defense="none", **QUICK,
    )  # fmt: skip
    record.save(tmp_path / "mine")
    assert leakgauge.load(tmp_path / "mine").summary == record.summary


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rate": 0.5}, r"defense_options=\{'rate': \.\.\.\}, or defense=defenses\.get\('dprs'"),
        ({"defence": "none"}, "invert takes no 'defence'; did you mean defense"),
        ({"imagse": 3}, "did you mean images"),
    ],
)
def test_what_is_no_field_is_refused_in_one_line(fields, told):
    with pytest.raises(BadInput, match=told) as raised:
        leakgauge.invert(model="linear", data="digits", **fields)
    assert "\n" not in str(raised.value)
