"""Statistics of a comparison beside slow ones from the definitions, and SciPy's."""

import itertools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from agent.checks import InputError
from agent.run import intervals
from agent.run.statistics import (
    Interval,
    compare_with,
    holm,
    interquartile_mean,
    mean_interval,
    probability_of_improvement,
    seeds_needed,
    warning_of,
    wilcoxon,
)

rng = np.random.default_rng(0)
FIVE = np.array([0.1, 0.35, 0.5, 0.9, 2.0])


def all_resamples(values):
    return np.array(list(itertools.product(values, repeat=len(values))))


def test_the_studentised_bootstrap_goes_through_all_resamples():
    resamples = all_resamples(FIVE)
    with np.errstate(divide="ignore"):
        ratios = np.sort((resamples.mean(-1) - FIVE.mean()) / stats.sem(resamples, axis=-1))
    error, count = stats.sem(FIVE), len(ratios)
    low, high = (FIVE.mean() - ratios[int(np.ceil(share * count)) - 1] * error for share in (0.975, 0.025))
    found = mean_interval(FIVE)
    assert (found.estimate, found.low, found.high) == pytest.approx((FIVE.mean(), low, high))
    own = FIVE.mean() / error
    _, _, p_values = intervals.studentized(FIVE[None], 0.95)
    assert p_values[0] == pytest.approx(2 * min((ratios >= own).mean(), (ratios <= own).mean()))


def test_drawn_resamples_give_what_all_would():
    values = rng.exponential(size=8)
    counts, weights = intervals._resamples(8)
    drawn = np.random.default_rng(3).choice(counts.shape[1], 200_000, p=weights)
    for all_of, some in zip(
        intervals.studentized(values[None], 0.9),
        _by_drawn(values, counts[:, drawn]),
        strict=True,
    ):
        assert all_of == pytest.approx(some, rel=0.03, abs=3e-4)


def _by_drawn(values, counts):
    mean, error, own = intervals._scaled(values[None])
    least, most, p_values = intervals._of_resamples((values[None] - mean) / error, own, counts, None, 0.05)
    return mean - most * error, mean - least * error, p_values


@pytest.mark.parametrize("seeds", [2, 3, 4])
def test_of_few_seeds_it_is_student_s(seeds):
    expected = stats.ttest_1samp(FIVE[:seeds], 0.0)
    bounds = expected.confidence_interval(0.9)
    found = mean_interval(FIVE[:seeds], 0.9)
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))
    _, _, p_values = intervals.student(FIVE[None, :seeds], 0.9)
    assert p_values[0] == pytest.approx(expected.pvalue)


def test_no_end_is_infinite():
    """Three equal numbers of five: 7.8% of the resamples have no spread."""
    values = np.array([[1.0, 1.0, 1.0, 2.0, 2.5], [0.0, 0.0, 0.0, 0.0, 0.1]])
    for ours, students in zip(intervals.studentized(values, 0.95), intervals.student(values, 0.95), strict=True):
        assert ours == pytest.approx(students)


@pytest.mark.parametrize("seeds", [7, 9])
def test_sign_flips_inverted(seeds):
    """Inside its ends a centre is not rejected by all sign flips, outside it is."""
    values = rng.exponential(size=seeds)
    (low,), (high,) = intervals.flipped(values[None], 0.95)
    signs = np.array(list(itertools.product((-1, 1), repeat=seeds)))
    for centre, inside in ((low - 1e-6, False), (low + 1e-6, True), (high - 1e-6, True), (high + 1e-6, False)):
        sums = signs @ (values - centre)
        p_value = (abs(sums) >= abs((values - centre).sum()) - 1e-12).mean()
        assert (p_value > 0.05) == inside


def test_of_many_seeds_subsets_are_drawn():
    values = rng.normal(size=(1, 40))
    low, high = intervals.paired(values, 0.95)
    least, most, _ = intervals.student(values, 0.95)
    assert (low[0], high[0]) == pytest.approx((least[0], most[0]), abs=0.05)


def test_what_is_used_of_differences():
    values = rng.normal(size=(3, 6))
    assert np.array_equal(intervals.paired(values, 0.95), intervals.studentized(values, 0.95)[:2])
    assert np.array_equal(intervals.paired(values, 0.9), intervals.flipped(values, 0.9))


@pytest.mark.parametrize("seeds", [4, 5, 8, 13])
def test_the_interquartile_mean(seeds):
    values = rng.exponential(size=seeds)
    cut = seeds // 4
    share = (cut / seeds + 1e-9,) * 2
    expected = stats.mstats.trimmed_mean_ci(values, share, alpha=0.1)
    found = interquartile_mean(values, 0.9)
    assert found.estimate == pytest.approx(np.sort(values)[cut : seeds - cut].mean())
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_the_interquartile_mean_of_three_is_their_mean():
    ours, means = interquartile_mean(FIVE[:3]), mean_interval(FIVE[:3])
    assert (ours.estimate, ours.low, ours.high) == pytest.approx((means.estimate, means.low, means.high))


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_probability_of_improvement_counts(gains, higher_is_better):
    ours, theirs = np.array(gains, dtype=float), np.zeros(len(gains))
    found = probability_of_improvement(ours, theirs, higher_is_better)
    better = [(gain > 0) if higher_is_better else (gain < 0) for gain in gains]
    ties = gains.count(0)
    assert found.estimate == pytest.approx((sum(better) + ties / 2) / len(gains))
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    if sum(better):  # so few wins are as rare as half of 5% where the probability is the lower bound
        assert stats.binom.sf(sum(better) - 1, len(gains), found.low) == pytest.approx(0.025)


@pytest.mark.parametrize("seeds", [5, 10, 12, 20])
def test_wilcoxon_is_scipy_s(seeds):
    differences = rng.normal(0.3, size=(5, seeds))
    expected = stats.wilcoxon(differences, axis=-1, method="exact").pvalue
    assert wilcoxon(differences) == pytest.approx(expected)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
@settings(max_examples=50, deadline=None)
def test_wilcoxon_with_ties_goes_through_all_signs(differences):
    kept = np.array([difference for difference in differences if difference], dtype=float)
    ranks = stats.rankdata(abs(kept))
    own = abs(ranks @ np.sign(kept))
    signs = np.array(list(itertools.product((-1, 1), repeat=len(kept))), dtype=float)
    assert wilcoxon(np.array([differences], float)) == pytest.approx((abs(signs @ ranks) >= own).mean())
    padded = np.array([differences + [0] * 13], dtype=float)
    assert wilcoxon(padded) == pytest.approx(wilcoxon(np.array([differences], float)))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_from_its_definition(p_values):
    """The least level at which a hypothesis is rejected: those before it are, and it is held against its share."""

    def rejected(level):
        found = set()
        for place, index in enumerate(np.argsort(p_values, kind="stable")):
            if p_values[index] > level / (len(p_values) - place):
                break
            found.add(index)
        return found

    for index, adjusted in enumerate(holm(p_values)):
        assert adjusted >= 1.0 or index in rejected(adjusted * (1 + 1e-12))
        assert index not in rejected(adjusted * (1 - 1e-12)) or adjusted == 0
        assert adjusted <= 1.0


def test_a_comparison():
    theirs = rng.normal(size=10)
    by_method = {
        "worse": theirs - rng.uniform(1, 2, 10),
        "ours": theirs,
        "same": theirs,
        "new": rng.normal(size=10),
    }
    found = compare_with("ours", by_method, higher_is_better=True)
    assert list(found) == ["worse", "same", "new"]
    raw = [
        stats.wilcoxon(by_method["worse"] - theirs).pvalue,
        1.0,
        stats.wilcoxon(by_method["new"] - theirs).pvalue,
    ]
    assert [paired.p_value for paired in found.values()] == pytest.approx(raw)
    assert [paired.adjusted_p_value for paired in found.values()] == pytest.approx(holm(raw))
    assert [paired.different for paired in found.values()] == [True, False, False]
    assert {paired.test for paired in found.values()} == {"Wilcoxon"}
    assert found["worse"].difference.high < 0
    assert found["worse"].improvement.estimate == 0.0
    assert found["same"].difference == Interval(0.0, 0.0, 0.0)
    assert found["same"].improvement == Interval(0.5, 0.0, 1.0)
    assert compare_with("ours", by_method, higher_is_better=False)["worse"].improvement.estimate == 1.0
    assert compare_with("ours", {"ours": theirs}) == {}


def test_of_five_seeds_another_test_is_used():
    shifted = {"ours": np.zeros(5), "new": np.array([1.0, 1.1, 0.9, 1.05, 1.2])}
    found = compare_with("ours", shifted)["new"]
    assert (found.test, found.different) == ("bootstrap", True)
    assert found.p_value < 0.0625
    assert found.difference.low > 0
    constant = compare_with("ours", {"ours": np.zeros(5), "new": np.ones(5)})["new"]
    assert (constant.difference, constant.p_value) == (Interval(1.0, 1.0, 1.0), 0.0)
    few = {name: values[:4] for name, values in shifted.items()}
    assert compare_with("ours", few)["new"].test == "Student"


@pytest.mark.parametrize("methods", [2, 3, 6])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_so_many_seeds_are_needed_and_no_more(methods, level):
    needed = seeds_needed(methods, level)

    def least(seeds):
        return holm(np.repeat(wilcoxon(np.arange(1.0, seeds + 1)[None]), methods - 1)).min()

    assert least(needed) < 1 - level <= least(needed - 1)
    assert warning_of(needed, methods, level) is None
    assert str(needed) in str(warning_of(needed - 1, methods, level))


def test_one_seed_has_no_interval():
    for found in (mean_interval([3.0]), interquartile_mean([3.0])):
        assert found.estimate == 3.0
        assert np.isnan([found.low, found.high]).all()
    alone = compare_with("a", {"a": [1.0], "b": [2.0]})["b"]
    assert (alone.p_value, alone.different) == (1.0, False)
    assert "no interval" in str(warning_of(1))
    assert "Student's" in str(warning_of(4))
    assert "bootstrap's" in str(warning_of(5))


@pytest.mark.parametrize("values", [[], [1.0, np.nan], [[1.0, 2.0]], "many", [None, 1.0], 3.0])
def test_bad_values(values):
    for call in (mean_interval, interquartile_mean):
        with pytest.raises(InputError, match="values must be finite numbers"):
            call(values)
    with pytest.raises(InputError, match="theirs must be finite numbers"):
        probability_of_improvement([1.0], values)
    with pytest.raises(InputError, match=r"by_method\['b'\] must be finite numbers"):
        compare_with("a", {"a": [1.0], "b": values})


@pytest.mark.parametrize("level", [0, 1.0, -0.5, np.nan, "0.95", True])
def test_bad_levels(level):
    for call in (
        lambda: mean_interval(FIVE, level),
        lambda: interquartile_mean(FIVE, level),
        lambda: probability_of_improvement(FIVE, FIVE, level=level),
        lambda: compare_with("a", {"a": FIVE, "b": FIVE}, level=level),
        lambda: warning_of(5, 2, level),
    ):
        with pytest.raises(InputError, match="level must be a number between 0 and 1"):
            call()


def test_unequal_numbers_of_seeds_and_no_reference():
    with pytest.raises(InputError, match="theirs must be of the 5 seeds of ours, got 4 values"):
        probability_of_improvement(FIVE, FIVE[:4])
    with pytest.raises(InputError, match=r"by_method\['b'\] must be of the 5 seeds of 'a', got 4 values"):
        compare_with("a", {"a": FIVE, "b": FIVE[:4]})
    with pytest.raises(InputError, match="reference must be one of a, b, got 'c'"):
        compare_with("c", {"a": FIVE, "b": FIVE})


def test_without_scipy_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"pip install 'mec-offloading\[data\]'"):
        mean_interval(FIVE)
