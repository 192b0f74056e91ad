import numpy as np
import pytest
from scipy import special, stats

from env import GaussMarkov, PathLoss, Rayleigh, RecordedTrace, Rician, WirelessPoweredMEC


def samples(channel, frames, num_users=2, seed=0):
    rng = np.random.default_rng(seed)
    channel.reset(num_users, rng)
    return np.array([channel.sample(rng) for _ in range(frames)])


def test_path_loss_is_the_papers_formula():
    average = PathLoss(antenna_gain=4.11).average_gain(3)
    expected = [4.11 * (3e8 / (4 * np.pi * 915e6 * d)) ** 2.8 for d in (2.5, 2.8, 3.1)]
    np.testing.assert_allclose(average, expected, rtol=1e-14)


def test_rayleigh_has_the_statistics_of_the_published_data(published):
    gains = published("data_10_WeightsAlternated")["input_h"]
    average = PathLoss().average_gain(10)
    np.testing.assert_allclose(gains.mean(0), average, rtol=0.04)
    ours = samples(Rayleigh(), 10_000, num_users=10)
    for user in range(10):
        assert stats.ks_2samp(gains[:, user], ours[:, user]).pvalue > 1e-3


@pytest.mark.parametrize("channel", [Rayleigh(), GaussMarkov(doppler_frequency=40)])
def test_rayleigh_power_is_exponential_of_unit_mean(channel):
    power = samples(channel, 4000) / PathLoss().average_gain(2)
    # Every 20th frame, far enough apart to be independent under Gauss-Markov too.
    assert stats.kstest(power[::20].ravel(), stats.expon.cdf).pvalue > 1e-3


def test_rician_power_is_noncentral_chi_square():
    power = samples(Rician(line_of_sight=0.3), 4000) / PathLoss().average_gain(2)
    scattered = 0.7
    law = stats.ncx2(df=2, nc=2 * 0.3 / scattered, scale=scattered / 2)
    assert stats.kstest(power.ravel(), law.cdf).pvalue > 1e-3
    steady = samples(Rician(line_of_sight=1.0), 3)
    np.testing.assert_allclose(steady, np.tile(PathLoss().average_gain(2), (3, 1)), rtol=1e-12)


@pytest.mark.parametrize(("doppler", "length"), [(1.0, 0.1), (5.0, 0.01), (30.0, 0.05)])
def test_gauss_markov_has_the_jakes_correlation(doppler, length):
    channel = GaussMarkov(doppler_frequency=doppler, frame_length=length)
    expected = special.j0(2 * np.pi * doppler * length)
    assert channel.correlation == pytest.approx(expected, abs=1e-12)
    power = samples(channel, 40_000) / PathLoss().average_gain(2)
    for user in range(2):  # powers of a complex Gauss-Markov process correlate with the square
        measured = np.corrcoef(power[:-1, user], power[1:, user])[0, 1]
        assert measured == pytest.approx(expected**2, abs=0.05)


@pytest.mark.parametrize("channel", [Rayleigh(), Rician(), GaussMarkov()])
def test_one_seed_fixes_every_gain(channel):
    np.testing.assert_array_equal(samples(channel, 5, seed=7), samples(channel, 5, seed=7))
    assert (samples(channel, 5, seed=7) != samples(channel, 5, seed=8)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PathLoss(distances=[1.0, -2.0]),
            r"distances must be positive and finite, got -2.0 at \[1\]",
        ),
        (lambda: PathLoss(antenna_gain=0.0), "antenna_gain must be positive"),
        (lambda: Rician(line_of_sight=1.5), "line_of_sight must be between 0 and 1, got 1.5"),
        (lambda: GaussMarkov(doppler_frequency=-1.0), "doppler_frequency must be 0 Hz or more"),
        (lambda: GaussMarkov(frame_length=0.0), "frame_length must be positive"),
        (
            lambda: WirelessPoweredMEC(3, channel=Rayleigh(PathLoss(distances=[1.0, 2.0]))),
            r"distances must have shape \(..., 3\)",
        ),
    ],
)
def test_bad_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def write_trace(path, **variables):
    if path.suffix == ".npz":
        np.savez(path, **variables)
    else:
        from scipy.io import savemat

        savemat(path, variables)
    return path


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
def test_a_trace_is_replayed_in_order_and_again(tmp_path, suffix):
    gains = np.random.default_rng(0).uniform(1e-7, 1e-5, (3, 4))
    path = write_trace(tmp_path / f"trace{suffix}", input_h=gains)
    env = WirelessPoweredMEC(channel=str(path))
    assert env.num_users == 4
    seen = []
    for _ in range(7):
        seen.append(env.gains)
        env.step(np.zeros(4))
    np.testing.assert_array_equal(seen, gains[[0, 1, 2, 0, 1, 2, 0]])
    np.testing.assert_array_equal(samples(RecordedTrace(path, start=2), 2, 4), gains[[2, 0]])


def test_the_stored_optimum_is_used_only_where_it_belongs(published, trace_path):
    data = published("data_7")
    env = WirelessPoweredMEC(channel=str(trace_path("data_7")))
    for row in range(3):
        assert env.frame_optimum() == data["output_obj"][row, 0]
        env.step(np.zeros(7))
    other = WirelessPoweredMEC(channel=str(trace_path("data_7")), weights=[2.0] * 7)
    assert other.frame_optimum() == pytest.approx(float(other.optimum(other.gains).rate))


GAINS = np.full((4, 3), 1e-6)
BAD_TRACES = {
    "missing variable": ({"other": GAINS}, "must hold the variable 'input_h'"),
    "wrong shape": ({"input_h": np.ones((5, 4, 3, 2))}, r"'input_h' in .* must have shape \(rows, N\)"),
    "empty": ({"input_h": np.zeros((0, 3))}, "must have shape"),
    "negative": ({"input_h": -GAINS}, "positive and finite, got -1e-06"),
    "not finite": ({"input_h": np.where(np.eye(4, 3), np.nan, GAINS)}, r"finite, got nan at \[0, 0\]"),
    "decision shape": ({"input_h": GAINS, "output_mode": np.ones((4, 2))}, "'output_mode' in .* must have"),
    "decision value": ({"input_h": GAINS, "output_mode": 2 * np.ones((4, 3))}, "must hold only 0 and 1"),
    "rates shape": ({"input_h": GAINS, "output_obj": np.ones((3, 1))}, "'output_obj' in .* must have"),
    "text": ({"input_h": np.array([["a", "b"]])}, "must be an array of real numbers"),
}


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
@pytest.mark.parametrize("case", BAD_TRACES)
def test_a_bad_trace_is_refused(tmp_path, suffix, case):
    variables, message = BAD_TRACES[case]
    path = write_trace(tmp_path / f"bad{suffix}", **variables)
    with pytest.raises(ValueError, match=message):
        RecordedTrace(path)


@pytest.mark.parametrize("suffix", [".mat", ".npz"])
@pytest.mark.parametrize("keep", [0, 1, 60, 200])
def test_an_empty_or_truncated_file_is_refused(tmp_path, suffix, keep):
    path = write_trace(tmp_path / f"whole{suffix}", input_h=np.random.default_rng(0).random((40, 5)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"not a readable|must hold the variable"):
        RecordedTrace(path)


def test_files_that_are_no_traces_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such trace file"):
        RecordedTrace(tmp_path / "none.mat")
    path = tmp_path / "trace.txt"
    path.write_text("1,2")
    with pytest.raises(ValueError, match=r"must be a .mat, .npz, .npy, .csv, .h5 or .hdf5 file, got .*trace.txt"):
        RecordedTrace(path)
    whole = write_trace(tmp_path / "whole.npz", input_h=GAINS)
    with pytest.raises(ValueError, match="start must be a row of"):
        RecordedTrace(whole, start=4)
    with pytest.raises(ValueError, match="num_users must be 3"):
        WirelessPoweredMEC(5, channel=str(whole))
    np.savez(tmp_path / "code.npz", input_h=np.array([print], dtype=object))
    with pytest.raises(ValueError, match="not a readable"):
        RecordedTrace(tmp_path / "code.npz")
