"""What SoftClip has to keep: its form, its pictures, its claim."""

from softclip import SoftClip


def test_it_is_what_it_says(leakage):
    leakage.conforms(SoftClip())


def test_pictures_stay_private(leakage):
    found = leakage.invert(SoftClip(), images=12)
    assert found.adaptive
    assert found.gain.high < 0
    leakage.check(found)


def test_its_epsilon_is_true(leakage):
    found = leakage.audit(SoftClip())
    assert not found.refuted
    assert found.claimed < 8
