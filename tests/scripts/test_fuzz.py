"""The search for wrong answers: a short one finds none, and it finds what is wrong."""

import sys

import numpy as np
import pytest

from env import MultiTaskMEC
from mec_offloading.commands import fuzz
from mec_offloading.commands.fuzzing.bad_inputs import targets
from mec_offloading.commands.fuzzing.tally import Tally


def search(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["scripts/fuzz.py", *arguments])
    with pytest.raises(SystemExit) as end:
        fuzz.main()
    return end.value.code


CHECKS = [name for name in fuzz.CHECKS if name != "bad_inputs"]


@pytest.mark.parametrize("check", CHECKS)
def test_a_short_search_finds_nothing(monkeypatch, capsys, check):
    assert search(monkeypatch, "--batches", "2", "--checks", check) == 0, capsys.readouterr().out
    said = capsys.readouterr().out
    assert "inputs tried: 0" not in said
    assert "wrong answers: 0\nundocumented exceptions: 0\nwarnings: 0" in said


def test_a_wrong_answer_is_found_and_repeated(monkeypatch, capsys):
    right = MultiTaskMEC.cost
    monkeypatch.setattr(MultiTaskMEC, "cost", lambda self, *given: right(self, *given) * (1 + 1e-6))
    assert search(monkeypatch, "--batches", "2", "--checks", "multi_task", "--seed", "3") == 1
    said = capsys.readouterr().out
    assert "wrong answers: MultiTaskMEC.cost: " in said
    assert "off by 1.0e-06\n    python scripts/fuzz.py --seed 3 --checks multi_task --first 1 --batches 1" in said


def test_what_raises_and_warns_is_counted(capsys):
    def check(rng, tally):
        np.log(np.zeros(2))
        raise TypeError("deep inside")

    tally = Tally("fuzz", 0)
    tally.run("bits", 0, check, np.random.default_rng(0))
    assert tally.found == {"undocumented exceptions": 1, "warnings": 1}
    assert "TypeError: deep inside" in capsys.readouterr().out


def test_arguments_of_all_worlds_are_tried():
    assert len(targets()) > 150
    assert {
        "WirelessPoweredMEC(noise_power=...)",
        "bisection(M=...)",
        "OffloadingAgent.decide(observation=...)",
    } <= targets().keys()
