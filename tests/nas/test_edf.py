"""EDFs, what is read off them, and whether the tests' levels are what they say: by simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from nas.edf import (
    best_range,
    bootstrap_band,
    difference_told,
    dkw_band,
    e_fit,
    edf,
    equal,
    equalised,
    holm,
    ks,
    lower,
    models_to_equate,
    models_to_tell,
    power_to_equate,
    power_to_tell,
    random_search,
    sample_size,
)
from search_spaces.regnet import PUBLISHED, RANGES, stages_of


def test_an_edf_counts_errors_below() -> None:
    f = edf([3, 1, 2, 2])
    assert f([0, 1, 1.5, 2, 2.1, 3, 4]).tolist() == [0, 0, 0.25, 0.25, 0.75, 0.75, 1]
    assert (f.min, f.median, f.mean, f.size) == (1, 2, 2, 4)
    assert edf([1, 2, 4, 8]).median == 3
    assert f.sd == pytest.approx(np.std([1, 2, 2, 3], ddof=1))
    assert f.standard_error == pytest.approx(f.sd / 2)


def test_weights_are_repeats() -> None:
    f, g = edf([5, 1, 3], [1, 2, 1]), edf([1, 1, 3, 5])
    at = np.linspace(0, 6, 25)
    assert f(at) == pytest.approx(g(at))
    assert (f.median, f.mean) == (g.median, g.mean) == (2, 2.5)
    assert edf([0, 5], [0, 1]).min == edf([0, 5], [0, 1]).median == 5


@pytest.mark.parametrize(
    ("errors", "weights"), [([], None), ([1, math.nan], None), ([1, 2], [1]), ([1], [0]), ([1, 2], [2, -1])]
)
def test_what_has_no_edf(errors: list[float], weights: list[float] | None) -> None:
    with pytest.raises(ValueError, match="an EDF needs"):
        edf(errors, weights)


def test_bands_cover_as_often_as_they_say() -> None:
    """Of 300 samples of 60 uniform errors: DKW all of F, the bootstrap F at one point."""
    rng = np.random.default_rng(0)
    at = np.linspace(0, 1, 101)
    whole, point = 0, 0
    for seed in range(300):
        f = edf(rng.random(60))
        low, high = dkw_band(f, at)
        whole += bool(((low <= at) & (at <= high)).all())
        low, high = bootstrap_band(f, [0.4], repeats=400, seed=seed)
        point += bool(low[0] <= 0.4 <= high[0])
    assert whole >= 0.93 * 300
    assert 0.90 * 300 <= point <= 0.985 * 300


def test_bands_of_weights() -> None:
    """Models that weigh nothing say nothing; unequal weights say less than equal ones."""
    errors = np.arange(50.0)
    plain, some = edf(errors[:40]), edf(errors, [1.0] * 40 + [0.0] * 10)
    for band in (dkw_band, bootstrap_band):
        assert band(plain, [20])[0] == pytest.approx(band(some, [20])[0], abs=0.05)
    uneven = edf(errors, [1.0, 8.0] * 25)
    for band in (dkw_band, bootstrap_band):
        widths = [float(np.diff(band(f, [25]), axis=0)[0, 0]) for f in (edf(errors), uneven)]
        assert widths[1] > 1.1 * widths[0]


def test_weights_equalise_complexity() -> None:
    small, large = np.arange(1.0, 31), np.arange(11.0, 61)
    found = equalised([small, large], bins=4)
    assert all(w.sum() == pytest.approx(1) for w in found.weights)
    for lo, hi, used in zip(found.edges, found.edges[1:], found.used, strict=False):
        masses = [
            float(w[(c >= lo) & (c < hi)].sum()) for c, w in zip((small, large), found.weights, strict=True)
        ]
        assert masses == pytest.approx([1 / sum(found.used)] * 2 if used else [0, 0], abs=0.06)
    assert not all(found.used)
    assert "without networks of every space" in str(found)
    assert found.left_out[1] == pytest.approx(np.mean(large >= found.edges[3]), abs=0.05)
    same = equalised([[5, 5], [5]])
    assert [w.tolist() for w in same.weights] == [[0.5, 0.5], [1]]
    with pytest.raises(ValueError, match="share none"):
        equalised([[1, 2], [100, 200]], bins=2)


def test_equalised_errors_no_longer_differ_by_size_alone() -> None:
    rng = np.random.default_rng(0)
    sizes = [rng.uniform(1, 3, 400), rng.uniform(1.5, 3.5, 400)]
    errors = [60 - 10 * size + rng.normal(0, 1, 400) for size in sizes]
    plain = edf(errors[1]).mean - edf(errors[0]).mean
    weighted = [edf(e, w) for e, w in zip(errors, equalised(sizes, bins=10).weights, strict=True)]
    assert plain < -4
    assert abs(weighted[1].mean - weighted[0].mean) < 0.6


def test_the_best_range_holds_the_best_value() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, 200)
    found = best_range(x, (x - 7) ** 2 + rng.normal(0, 1, 200))
    assert found.low < 7 < found.high
    assert abs(found.best - 7) < 0.5
    assert set(best_range([1, 2, 4], [9, 1, 5]).__dict__.values()) <= {1, 2, 4}


def test_random_search_efficiency_is_exact() -> None:
    errors = [9, 4, 7, 5, 4]
    mean, sd = random_search(errors, range(1, 6))
    for m in range(1, 6):
        best = [min(some) for some in itertools.combinations(errors, m)]
        assert (mean[m - 1], sd[m - 1]) == pytest.approx((np.mean(best), np.std(best)), abs=1e-6)
    assert random_search(np.arange(500), [500])[0] == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="between 1 and the 5"):
        random_search(errors, [6])


def test_kolmogorov_smirnov() -> None:
    a, b = [1.0, 2, 2, 3], [2.0, 3, 4]
    found = ks(edf(a), edf(b))
    expected = stats.ks_2samp(a, b)
    assert (found.value, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    repeated = ks(edf([1, 2, 3], [1, 2, 1]), edf(b))
    assert repeated.value == pytest.approx(found.value)


def test_permutations_are_all_counted_where_they_are_few() -> None:
    """The least of 20 deals of six errors to three and three."""
    assert lower(edf([1, 2, 3]), edf([4, 5, 6])).p == pytest.approx(1 / 20)
    assert lower(edf([4, 5, 6]), edf([1, 2, 3])).p == pytest.approx(1)
    found = lower(edf([1, 2, 9], [1, 1, 0]), edf([4, 5, 0], [1, 1, 0]))
    assert found.value == -3
    assert found.p < 0.25


def test_levels_and_power() -> None:
    """Of 200 pairs of samples: false positives at most as often as the level, and the power promised."""
    rng = np.random.default_rng(0)
    n, spread = 24, 4.0
    told = difference_told(n, spread)
    level, hits, weighted, outside, inside = 0, 0, 0, 0, 0
    margin = 3.5
    for _ in range(200):
        a, b = rng.normal(50, spread, (2, n))
        w = rng.uniform(0.5, 2, n)
        level += lower(edf(a), edf(b), repeats=400).p <= 0.05
        weighted += lower(edf(a, w), edf(b, rng.permutation(w)), repeats=400).p <= 0.05
        hits += lower(edf(a), edf(b + told), repeats=400).p <= 0.05
        outside += equal(edf(a), edf(b + margin), margin).p <= 0.05
        inside += equal(edf(a), edf(b), margin).p <= 0.05
    for count in (level, weighted, outside):
        assert count <= 20  # 200 x 0.05, and three standard deviations
    assert abs(hits / 200 - 0.8) < 0.09
    assert abs(inside / 200 - power_to_equate(n, spread, margin)) < 0.09


def test_samples_of_different_sizes_are_dealt_by_networks() -> None:
    a, b = [1.0, 2, 3, 5], [2.5, 4, 6, 7, 8, 9, 12, 13]

    def difference(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        found: np.ndarray = x.mean(axis) - y.mean(axis)
        return found

    plain = stats.permutation_test((a, b), difference, vectorized=True, alternative="less")
    assert lower(edf(a), edf(b)).p == pytest.approx(plain.pvalue)


def test_one_network_shows_no_equality() -> None:
    assert equal(edf([50.0, 40], [1, 0]), edf([51.0, 60], [1, 0]), 1.5).p == 1
    assert equal(edf([50.0, 40, 30], [1, 1, 1]), edf([51.0, 60], [1, 0]), 1.5).p == 1
    assert "nothing can be shown" in sample_size(1, math.nan, 1.5)
    assert "nothing can be shown" in sample_size(8, 0.0, 1.5)


def test_equivalence_is_welchs() -> None:
    a, b = [1.0, 2, 3, 4, 6], [1.5, 2, 3.5, 7]
    upper = stats.ttest_ind(a, np.array(b) + 2, equal_var=False, alternative="less").pvalue
    under = stats.ttest_ind(a, np.array(b) - 2, equal_var=False, alternative="greater").pvalue
    assert equal(edf(a), edf(b), 2).p == pytest.approx(max(upper, under))
    assert equal(edf([1, 1]), edf([1, 1]), 0.1).p == 0
    with pytest.raises(ValueError, match="margin"):
        equal(edf(a), edf(b), 0)


def test_holm() -> None:
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_sample_sizes() -> None:
    """Against the tables of any textbook: 51 a group for half a standard deviation."""
    assert models_to_tell(2, 1) == 51
    assert power_to_tell(51, 2, 1) >= 0.8 > power_to_tell(50, 2, 1)
    assert (
        power_to_equate(models_to_equate(2, 1), 2, 1)
        >= 0.8
        > power_to_equate(models_to_equate(2, 1) - 1, 2, 1)
    )
    assert difference_told(51, 2) == pytest.approx(1, abs=0.01)
    assert str(models_to_tell(5, 1.5)) in sample_size(48, 5, 1.5)
    with pytest.raises(ValueError, match="sample size"):
        models_to_tell(0, 1)


@pytest.mark.parametrize("name", ["X-400MF", "X-3.2GF", "Y-16GF"])
def test_a_regnet_lies_on_its_line(name: str) -> None:
    d, w_0, w_a, w_m, _ = PUBLISHED[name]
    stages, _ = stages_of(d, w_0, w_a, w_m)
    widths, depths = zip(*stages, strict=True)
    fit = e_fit(depths, widths)
    assert fit.e < 0.06
    assert RANGES["w_m"][0] <= fit.w_m <= RANGES["w_m"][1]
    again, _ = stages_of(d, fit.w_0, fit.w_a, fit.w_m)
    u, v = (np.log(np.repeat(*zip(*s, strict=True))) for s in (stages, again))
    assert np.abs(u - v).mean() == pytest.approx(fit.e)
    assert e_fit(depths, widths[::-1]).e > 0.3


def test_one_width_is_a_line_of_no_slope() -> None:
    assert e_fit([2, 1, 2, 3], [64] * 4)[:3] == (0, 64, 0)
