"""Every family under every law that its flags call for; how many laws run is asserted."""

import importlib.util

import pytest

from partimento.models.base import FAMILIES, family
from partimento.testing import CHECKS, Subject, small_corpus

SMALL = {"layers": 1, "width": 48, "steps": 150, "batch": 8, "window": 96, "lr": 8e-3, "weights": "float32"}
SUBJECTS = {
    "random": ("random", {"densities": (1.0, 3.0), "lengths": (4.0, 12.0)}),
    "rules": ("rules", {"style": "classical", "form": "A4 B4"}),
    "rules by what is asked": ("rules", {}),
    "markov": ("markov", {"order": 2, "grid": 4}),
    "markov sum": ("markov", {"order": 3, "product": False}),
    "hmm": ("hmm", {"states": 6, "batches": 80, "rounds": 4}),
    "rnn tanh": ("rnn", {"cell": "tanh", **SMALL}),
    "rnn lstm": ("rnn", {"cell": "lstm", **SMALL, "layers": 2, "weights": "int8"}),
    "rnn gru": ("rnn", {"cell": "gru", **SMALL, "weights": "bfloat16"}),
    "transformer": ("transformer", {**SMALL, "lr": 3e-3, "deafness": 0.3, "blindness": 0.1}),
    "transformer by tracks": ("transformer", {**SMALL, "lr": 3e-3, "deafness": 0.3, "blindness": 0.1,
                                              "order": "tracks"}),
}
LAWS_RUN = {"random": 25, "rules": 22, "markov": 31, "hmm": 30, "rnn": 30, "transformer": 30}


@pytest.fixture(scope="module")
def subjects():
    made = {}

    def subject(name):
        if name not in made:
            kind, settings = family(SUBJECTS[name][0]), SUBJECTS[name][1]
            if kind.needs_torch and importlib.util.find_spec("torch") is None:
                pytest.skip("learning of this family needs torch: pip install partimento[train]")
            model = kind(**settings)
            if kind.learns:
                model.fit(small_corpus())
            made[name] = Subject(kind, settings, model)
        return made[name]

    return subject


def cases():
    return [(name, law) for name, (kind, _) in SUBJECTS.items()
            for law, (_, applies) in CHECKS.items() if applies(family(kind))]


@pytest.mark.parametrize(("name", "law"), cases())
def test_law(subjects, name, law):
    CHECKS[law][0](subjects(name))


def test_every_family_has_settings_and_its_laws_are_counted():
    counted = {kind: sum(found == name for found, _ in cases()) for name, (kind, _) in SUBJECTS.items()}
    assert counted == LAWS_RUN
    assert {kind for kind, _ in SUBJECTS.values()} == set(FAMILIES)
