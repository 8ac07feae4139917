from reports.records.headline import headline


def test_the_defense_that_was_asked_about_is_not_cut_off_by_its_rivals():
    one = {"mean": 20.0, "low": None, "high": None, "n": 2}
    names = ("none/adaptive", "dpsgd/adaptive", "dpsgd/naive", "dprs/adaptive", "dprs/naive")
    summary = {name: {"psnr": one} for name in names}
    scenario = {"model": "mlp", "data": "digits", "defense": "dprs", "images": 2}
    told = headline("inversion", scenario, [], summary)
    found = told.split(": ")[1]
    assert found == "dprs/adaptive 20.0 dB; dprs/naive 20.0 dB; none/adaptive 20.0 dB and 2 more"
