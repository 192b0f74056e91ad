"""3GPP TR 38.901: formulas against the tables written out link by link, and against Sionna where it is there."""

import math

import numpy as np
import pytest
from scipy import special

from env import InF, InH, InputError, RMa, UMa, UMi
from env.processes import special_functions
from env.processes.tr38901 import penetration
from env.processes.tr38901.path_loss import uma_environment_height

C = 3.0e8


def umi(d2, f, hb, hu, los):
    """Table 7.4.1-1, UMi - street canyon."""
    d3 = math.sqrt(d2**2 + (hb - hu) ** 2)
    dbp = 4 * (hb - 1) * (hu - 1) * f * 1e9 / C
    if d2 <= dbp:
        pl = 32.4 + 21 * math.log10(d3) + 20 * math.log10(f)
    else:
        pl = 32.4 + 40 * math.log10(d3) + 20 * math.log10(f) - 9.5 * math.log10(dbp**2 + (hb - hu) ** 2)
    return pl if los else max(pl, 35.3 * math.log10(d3) + 22.4 + 21.3 * math.log10(f) - 0.3 * (hu - 1.5))


def uma(d2, f, hb, hu, los, he=1.0):
    """Table 7.4.1-1, UMa."""
    d3 = math.sqrt(d2**2 + (hb - hu) ** 2)
    dbp = 4 * (hb - he) * (hu - he) * f * 1e9 / C
    if d2 <= dbp:
        pl = 28 + 22 * math.log10(d3) + 20 * math.log10(f)
    else:
        pl = 28 + 40 * math.log10(d3) + 20 * math.log10(f) - 9 * math.log10(dbp**2 + (hb - hu) ** 2)
    return pl if los else max(pl, 13.54 + 39.08 * math.log10(d3) + 20 * math.log10(f) - 0.6 * (hu - 1.5))


def rma(d2, f, hb, hu, los, h=5.0, w=20.0):
    """Table 7.4.1-1, RMa."""

    def pl1(d):
        return (
            20 * math.log10(40 * math.pi * d * f / 3)
            + min(0.03 * h**1.72, 10) * math.log10(d)
            - min(0.044 * h**1.72, 14.77)
            + 0.002 * math.log10(h) * d
        )

    d3 = math.sqrt(d2**2 + (hb - hu) ** 2)
    dbp = 2 * math.pi * hb * hu * f * 1e9 / C
    pl = pl1(d3) if d2 <= dbp else pl1(dbp) + 40 * math.log10(d3 / dbp)
    if los:
        return pl
    nlos = (
        161.04 - 7.1 * math.log10(w) + 7.5 * math.log10(h) - (24.37 - 3.7 * (h / hb) ** 2) * math.log10(hb)
        + (43.42 - 3.1 * math.log10(hb)) * (math.log10(d3) - 3) + 20 * math.log10(f)
        - (3.2 * math.log10(11.75 * hu) ** 2 - 4.97)
    )  # fmt: skip
    return max(pl, nlos)


def inh(d2, f, hb, hu, los):
    """Table 7.4.1-1, InH - office."""
    d3 = math.sqrt(d2**2 + (hb - hu) ** 2)
    pl = 32.4 + 17.3 * math.log10(d3) + 20 * math.log10(f)
    return pl if los else max(pl, 38.3 * math.log10(d3) + 17.30 + 24.9 * math.log10(f))


def factory(kind):
    """Table 7.4.1-1, InF."""

    def loss(d2, f, hb, hu, los):
        d3 = math.sqrt(d2**2 + (hb - hu) ** 2)
        pl = 31.84 + 21.50 * math.log10(d3) + 19.00 * math.log10(f)
        if los:
            return pl
        of = {
            "SL": 33 + 25.5 * math.log10(d3) + 20 * math.log10(f),
            "DL": 18.6 + 35.7 * math.log10(d3) + 20 * math.log10(f),
            "SH": 32.4 + 23.0 * math.log10(d3) + 20 * math.log10(f),
            "DH": 33.63 + 21.9 * math.log10(d3) + 20 * math.log10(f),
        }
        return max(of[kind], pl, of["SL"]) if kind == "DL" else max(of[kind], pl)

    return loss


FACTORY = {
    kind: (InF, factory(kind), (1, 590), (1.5 if kind[1] == "L" else 8.0,) * 2, (0.5, 1.9), {"kind": kind})
    for kind in ("SL", "DL", "SH", "DH")
}
SCENARIOS = {
    "UMi": (UMi, umi, (10, 5000), (8, 12), (1.5, 22.5), {}),
    "UMa": (UMa, uma, (10, 5000), (25, 40), (1.5, 13.0), {}),
    "RMa": (RMa, rma, (10, 5000), (10, 150), (1, 10), {}),
    "InH": (InH, inh, (1, 149), (2, 4), (0.8, 1.8), {}),
} | FACTORY


@pytest.mark.parametrize("name", SCENARIOS)
def test_path_loss_is_the_tables(name):
    kind, table, distances, base, users, more = SCENARIOS[name]
    rng = np.random.default_rng(0)
    for carrier in (0.5, 0.7, 3.5, 28.0, 30.0 if kind is RMa else 100.0):
        height, users_at = rng.uniform(*base), rng.uniform(*users, 400)
        distance, in_sight = np.exp(rng.uniform(*np.log(distances), 400)), rng.random(400) < 0.5
        scenario = kind(carrier * 1e9, base_height=height, user_height=users_at.tolist(), **more)
        links = zip(distance, users_at, in_sight, strict=True)
        expected = [table(d, carrier, height, at, los) for d, at, los in links]
        np.testing.assert_allclose(scenario.path_loss(distance, in_sight), expected, rtol=0, atol=1e-9)


PUBLISHED = {  # the values of ns-3's tests at 5 GHz, dB: in line of sight, without
    "RMa": (RMa, [77.3784, 87.2965, 108.5577, None], [77.3784, 95.7718, 133.5223, 160.5169]),
    "UMa": (UMa, [72.9380, 86.2362, 109.7252, 137.6794], [82.5131, 106.1356, 144.7641, 172.0753]),
    "UMi": (UMi, [69.8591, 88.4122, 119.3114, 147.2696], [76.7563, 107.9432, 143.1886, 167.8617]),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_path_loss_is_as_published(name):
    kind, *values = PUBLISHED[name]
    for distance, in_sight, hidden in zip((10, 100, 1000, 5000), *values, strict=True):
        if in_sight is not None:
            assert float(kind(5e9).path_loss(distance, True)) == pytest.approx(in_sight, abs=0.05)
        assert float(kind(5e9).path_loss(distance, False)) == pytest.approx(hidden, abs=0.05)


def test_uma_breaks_at_a_height_that_is_drawn():
    """Table 7.4.1-1, note 1: 1 m with probability 1 / (1 + C), else 12, 15, ..., h_UT - 1.5, equally likely."""
    draw = (np.arange(400_000) + 0.5) / 400_000
    for height, distance in ((13.0, 300.0), (19.5, 17.9), (22.5, 300.0), (15.0, 80.0)):
        drawn = uma_environment_height(np.full(draw.size, distance), height, draw)
        g = 0 if distance <= 18 else 1.25 * (distance / 100) ** 3 * math.exp(-distance / 150)
        likely = 1 / (1 + g * ((height - 13) / 10) ** 1.5)
        assert np.mean(drawn == 1) == pytest.approx(likely, abs=1e-4)
        others = np.arange(12, height - 1.5 + 1e-9, 3)
        for other in others[: 0 if likely == 1 else None]:
            assert np.mean(drawn == other) == pytest.approx((1 - likely) / len(others), abs=1e-4)
    scenario = UMa(3.5e9, user_height=22.5)
    for distance in (300.0, 900.0):
        expected = [uma(distance, 3.5, 25.0, 22.5, True, he) for he in (1, 12, 15, 18, 21)]
        got = scenario.path_loss(np.full(draw.size, distance), np.ones(draw.size, dtype=bool), draw)
        np.testing.assert_allclose(np.unique(got), np.unique(expected), atol=1e-9)


PROBABILITIES = {  # Table 7.4.2-1
    "UMi": (UMi(), lambda d: 1 if d <= 18 else 18 / d + math.exp(-d / 36) * (1 - 18 / d)),
    "UMa": (
        UMa(user_height=20.0),
        lambda d: (
            1
            if d <= 18
            else (18 / d + math.exp(-d / 63) * (1 - 18 / d))
            * (1 + 0.7**1.5 * 5 / 4 * (d / 100) ** 3 * math.exp(-d / 150))
        ),
    ),
    "low UMa": (UMa(), lambda d: 1 if d <= 18 else 18 / d + math.exp(-d / 63) * (1 - 18 / d)),
    "RMa": (RMa(), lambda d: 1 if d <= 10 else math.exp(-(d - 10) / 1000)),
    "mixed": (
        InH(),
        lambda d: 1 if d <= 1.2 else math.exp(-(d - 1.2) / 4.7) if d < 6.5 else math.exp(-(d - 6.5) / 32.6) * 0.32,
    ),
    "open": (
        InH(office="open"),
        lambda d: 1 if d <= 5 else math.exp(-(d - 5) / 70.8) if d <= 49 else math.exp(-(d - 49) / 211.7) * 0.54,
    ),
    "SL": (InF(kind="SL"), lambda d: math.exp(-d / (-10 / math.log(0.8)))),
    "DH": (InF(kind="DH"), lambda d: math.exp(-d / (-2 / math.log(0.4) * (8 - 1.5) / (6 - 1.5)))),
}


@pytest.mark.parametrize("name", PROBABILITIES)
def test_line_of_sight_is_as_likely_as_the_table_says(name):
    scenario, table = PROBABILITIES[name]
    distance = np.concatenate([np.linspace(0, 60, 601), np.geomspace(60, 5000, 200)])
    expected = [min(table(d), 1) for d in distance]
    np.testing.assert_allclose(scenario.line_of_sight_probability(distance), expected, rtol=1e-12, atol=1e-15)


def test_walls_take_what_the_standard_says():
    """Tables 7.4.3-1 and 7.4.3-2, at 3.5 GHz."""
    glass, irr, concrete = 2 + 0.2 * 3.5, 23 + 0.3 * 3.5, 5 + 4 * 3.5
    low = 5 - 10 * math.log10(0.3 * 10 ** (-glass / 10) + 0.7 * 10 ** (-concrete / 10))
    high = 5 - 10 * math.log10(0.7 * 10 ** (-irr / 10) + 0.3 * 10 ** (-concrete / 10))
    assert penetration.through_walls(3.5, "low") == pytest.approx(low, abs=1e-12)
    assert penetration.through_walls(3.5, "high") == pytest.approx(high, abs=1e-12)
    assert penetration.inside(12.0) == 6.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: UMi(0.4e9), r"carrier_frequency must be 0.5 to 100 GHz, got 0.4"),
        (lambda: RMa(31e9), r"carrier_frequency must be 0.5 to 30 GHz, got 31"),
        (lambda: UMi(user_height=1.4), r"user_height must be 1.5 to 22.5 m in UMi, got 1.4"),
        (lambda: UMi(base_height=1.0), r"base_height must be"),
        (lambda: UMa(base_height=20.0), r"base_height must be 22.5 to"),
        (lambda: RMa(user_height=11.0), r"user_height must be 1 to 10 m in RMa"),
        (lambda: RMa(street_width=60.0), r"street_width must be 5 to 50 m"),
        (lambda: RMa(building_height=4.0), r"building_height must be 5 to 50 m"),
        (lambda: UMi().path_loss(9.0, True), r"distance must be 10 to 5000 m in UMi, got 9"),
        (lambda: UMi().path_loss([20.0, np.nan], True), r"distance must be 10 to 5000 m in UMi, got nan"),
        (lambda: UMa().path_loss([20.0, 5001.0], False), r"distance must be 10 to 5000 m in UMa, got 5001"),
        (lambda: RMa().path_loss([6000.0, 6000.0], [True, False]), r"without line of sight, got 6000"),
        (lambda: InH().path_loss(150.0, True), r"distance must be 0 to 149"),
        (lambda: InF().path_loss(601.0, True), r"distance must be 1 to 600 m in InF, got 601"),
        (lambda: InH(office="closed"), r"office must be 'mixed' or 'open', got 'closed'"),
        (lambda: InF(kind="XL"), "kind must be 'DH', 'DL', 'SH' or 'SL', got 'XL'"),
        (lambda: InF(kind="SL", clutter_density=0.5), r"clutter_density must be 0.01 to 0.4"),
        (lambda: InF(kind="SL", base_height=5.0), r"base_height of SL must be at most clutter_height, 2"),
        (lambda: InF(kind="DH", base_height=5.0), r"base_height of DH must be above clutter_height, 6"),
        (lambda: InF(user_height=3.0), r"clutter_height must be above user_height, 3"),
        (lambda: UMi().line_of_sight_probability(-1.0), r"distance must be 0 or more"),
    ],
)
def test_what_is_outside_the_standard_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_special_functions_are_scipys():
    z, x = np.linspace(-9, 9, 4001), np.linspace(0, 300, 30_001)
    np.testing.assert_allclose(special_functions.normal_distribution(z), special.ndtr(z), rtol=0, atol=8e-8)
    np.testing.assert_allclose(special_functions.bessel_j0(x), special.j0(x), rtol=0, atol=1e-7)


LINKS = 200_000


@pytest.mark.parametrize("name", ["UMi", "UMa", "RMa", "InH", *FACTORY])
def test_path_loss_is_sionnas(name, monkeypatch):
    """Sionna's generator on 200,000 random links a scenario, within 1e-6 dB; with the standard's c of 3e8 m/s."""
    tr38901 = pytest.importorskip("sionna.phy.channel.tr38901")
    import importlib

    import torch

    scenario_name = "InF" if name in FACTORY else name
    module = importlib.import_module(f"sionna.phy.channel.tr38901.{scenario_name.lower()}_scenario")
    if hasattr(module, "SPEED_OF_LIGHT"):
        monkeypatch.setattr(module, "SPEED_OF_LIGHT", C)
    kind, _, distances, base, users, more = SCENARIOS[name]
    rng = np.random.default_rng(1)
    height, carrier = rng.uniform(*base), 3.5e9
    distance, angle = np.exp(rng.uniform(*np.log(distances), LINKS)), rng.uniform(0, 2 * np.pi, LINKS)
    at = rng.uniform(*users, LINKS)
    antenna = tr38901.PanelArray(
        num_rows_per_panel=1, num_cols_per_panel=1, polarization="single", polarization_type="V",
        antenna_pattern="omni", carrier_frequency=carrier, precision="double",
    )  # fmt: skip
    extra = {"UMi": {"o2i_model": "low"}, "UMa": {"o2i_model": "low"}, "InH": {"indoor_scenario": "mixed"}}
    extra["InF"] = {"factory_scenario": name}
    theirs = getattr(module, f"{scenario_name}Scenario")(
        carrier_frequency=carrier, ut_array=antenna, bs_array=antenna, direction="downlink", precision="double",
        **extra.get(scenario_name, {}),
    )  # fmt: skip
    place = np.stack([distance * np.cos(angle), distance * np.sin(angle), at], -1).reshape(-1, 10, 3)
    batch = len(place)
    inside = scenario_name in ("InH", "InF")
    theirs.set_topology(
        torch.tensor(place),
        torch.tensor([0.0, 0.0, height], dtype=torch.float64).expand(batch, 1, 3),
        torch.zeros(batch, 10, 3, dtype=torch.float64),
        torch.zeros(batch, 1, 3, dtype=torch.float64),
        torch.zeros(batch, 10, 3, dtype=torch.float64),
        torch.full((batch, 10), inside),
    )
    in_sight = theirs.los.numpy().ravel()
    assert 0.01 < in_sight.mean() < 0.99
    ours = kind(carrier, base_height=height, user_height=at.tolist(), **more)
    loss = ours.path_loss(distance, in_sight)
    print(f"{name}: largest difference {np.abs(loss - theirs.basic_pathloss.numpy().ravel()).max():.3g} dB")
    np.testing.assert_allclose(loss, theirs.basic_pathloss.numpy().ravel(), rtol=0, atol=1e-6)
    probability = ours.line_of_sight_probability(distance)
    assert abs((in_sight - probability).sum()) < 4 * np.sqrt((probability * (1 - probability)).sum())
    np.testing.assert_allclose(probability, theirs.los_probability.numpy().ravel(), rtol=0, atol=1e-9)
