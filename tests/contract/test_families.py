"""Every law over every family, with settings that are not the defaults; how many laws run is asserted."""

import pytest

from partimento.models.base import FAMILIES, family
from partimento.testing import CHECKS, Subject, small_corpus

SETTINGS = {
    "random": {"densities": (1.0, 3.0), "lengths": (4.0, 12.0)},
    "markov": {"order": 3},
}
LAWS_RUN = {"random": 19, "markov": 23}


@pytest.fixture(scope="module")
def subjects():
    made = {}

    def subject(name):
        if name not in made:
            kind = family(name)
            model = kind(**SETTINGS[name])
            if kind.learns:
                model.fit(small_corpus())
            made[name] = Subject(kind, SETTINGS[name], model)
        return made[name]

    return subject


def cases():
    return [(name, law) for name in FAMILIES for law, (_, applies) in CHECKS.items() if applies(family(name))]


@pytest.mark.parametrize(("name", "law"), cases())
def test_law(subjects, name, law):
    CHECKS[law][0](subjects(name))


def test_every_family_has_settings_and_its_laws_are_counted():
    counted = {name: sum(found == name for found, _ in cases()) for name in FAMILIES}
    assert counted == LAWS_RUN
    assert set(SETTINGS) == set(FAMILIES)
