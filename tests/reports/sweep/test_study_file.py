"""Study files."""

from __future__ import annotations

import pytest

from defenses import BadInput
from reports.sweep.study_file import jobs_of


def test_code_in_a_study_file_is_not_imported_either(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text('images = 1\n[[block]]\ndefense = ["none", "evil:Shield"]\n')
    with pytest.raises(BadInput, match=r"study.toml names 'evil:Shield' as its defense"):
        jobs_of(str(study), {})
    assert len(jobs_of(str(study), {"--defense": ["none"]})) == 1
    with pytest.raises(BadInput, match="cannot be imported"):
        jobs_of(str(study), {}, ["evil:Shield"])
    # Nor behind a value of another flag.
    for line in ('against = "none --attack=auto"', 'attacks = [["loss", "--shadows=2"]]'):
        family = "membership" if "attacks" in line else "invert"
        study.write_text(f'command = "attacks.{family}"\n{line}\n')
        with pytest.raises(BadInput, match="has a value with -- in front"):
            jobs_of(str(study), {})
    study.write_text('code = [["a:b", "--defense=evil:Shield"]]\n')
    with pytest.raises(BadInput, match="--code cannot be swept"):
        jobs_of(str(study), {})
    study.write_text('command = "evil"\n')
    with pytest.raises(BadInput, match="no command 'evil' runs Scenarios"):
        jobs_of(str(study), {})
