"""Arrays laid out as DeepMIMO and Sionna write them become gains."""

import numpy as np
import pytest

from env import InputError, deepmimo_gains, sionna_gains

RNG = np.random.default_rng(0)


def complex_numbers(*shape):
    return RNG.normal(size=shape) + 1j * RNG.normal(size=shape)


def test_deepmimos_powers_of_paths_add_up():
    power = np.array([[-90.0, -100.0, np.nan], [-80.0, np.nan, np.nan]])
    np.testing.assert_allclose(deepmimo_gains(power), [1e-9 + 1e-10, 1e-8])
    np.testing.assert_allclose(deepmimo_gains(10 ** (power / 10), unit="linear"), [1e-9 + 1e-10, 1e-8])
    np.testing.assert_allclose(deepmimo_gains([power, power + 10]).T, [[1.1e-9, 1e-8], [1.1e-8, 1e-7]])
    dark = np.array([[-90.0, np.nan], [np.nan, np.nan]])
    with pytest.raises(InputError, match=r"1 of 2 have none, the first at \[1\]"):
        deepmimo_gains(dark)
    np.testing.assert_allclose(deepmimo_gains(dark, no_path=1e-15), [1e-9, 1e-15])


def test_deepmimos_channels_are_means_over_subcarriers():
    channel = complex_numbers(5, 1, 8, 64)
    expected = [np.mean(np.abs(channel[user]) ** 2) for user in range(5)]
    np.testing.assert_allclose(deepmimo_gains(channel), expected)
    np.testing.assert_allclose(deepmimo_gains(channel, antennas="sum"), 8 * np.array(expected))
    np.testing.assert_allclose(deepmimo_gains(channel, kind="paths"), 64 * np.array(expected))
    assert deepmimo_gains([channel, channel]).shape == (5, 2)


def test_sionnas_paths_add_up_and_time_steps_are_frames():
    a = complex_numbers(2, 4, 2, 3, 8, 7, 5)  # batch, rx, rx_ant, tx, tx_ant, paths, time
    gains = sionna_gains(a)
    assert gains.shape == (10, 4, 3)
    by_hand = sum(np.abs(a[1, 2, i, 1, j, path, 3]) ** 2 for i in range(2) for j in range(8) for path in range(7))
    assert gains[5 + 3, 2, 1] == pytest.approx(by_hand / 16)
    assert sionna_gains(a, antennas="sum")[8, 2, 1] == pytest.approx(by_hand)
    np.testing.assert_array_equal(sionna_gains(a, users="tx"), gains.swapaxes(1, 2))
    np.testing.assert_allclose(sionna_gains((a.real, a.imag)), gains)
    np.testing.assert_array_equal(sionna_gains(a[0]), gains[:5])  # Paths.cir
    np.testing.assert_array_equal(sionna_gains(a[0, ..., 0]), gains[:1])  # Paths.a
    np.testing.assert_array_equal(sionna_gains(a[:, :, :, :1]), gains[..., 0])


def test_sionnas_frequency_responses_are_means_over_subcarriers():
    h = complex_numbers(2, 4, 2, 3, 8, 14, 32)  # batch, rx, rx_ant, tx, tx_ant, symbols, subcarriers
    gains = sionna_gains(h, kind="frequencies")
    assert gains.shape == (28, 4, 3)
    assert gains[14 + 5, 2, 1] == pytest.approx(np.mean(np.abs(h[1, 2, :, 1, :, 5]) ** 2))
    np.testing.assert_array_equal(sionna_gains(h[0], kind="frequencies"), gains[:14])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: deepmimo_gains(np.ones((3, 4, 5))), r"data must be powers of paths.*got float64 \(3, 4, 5\)"),
        (lambda: deepmimo_gains([np.ones((3, 4)), np.ones((2, 4))]), r"same users .* got \[3, 2\]"),
        (lambda: deepmimo_gains(np.full((2, 2), np.inf)), "data must be finite"),
        (lambda: deepmimo_gains(complex_numbers(2, 1, 1, 1), antennas="best"), "antennas must be 'mean' or 'sum'"),
        (lambda: sionna_gains(complex_numbers(2, 3)), r"data must have shape .* got \(2, 3\)"),
        (lambda: sionna_gains(complex_numbers(2, 1, 2, 1, 3), kind="frequencies"), r"got \(2, 1, 2, 1, 3\)"),
        (
            lambda: sionna_gains(complex_numbers(2, 1, 2, 1, 3), users="both"),
            "users must be 'rx' or 'tx', got 'both'",
        ),
        (lambda: sionna_gains(complex_numbers(2, 1, 2, 1, 3), kind="rays"), "kind must be 'paths' or"),
        (lambda: sionna_gains(np.zeros((2, 1, 2, 1, 3))), "4 of 4 have none"),
        (
            lambda: sionna_gains((complex_numbers(2, 1, 2, 1, 3), np.ones((2, 2, 3)))),
            r"without their delays, or the pair of .*, got complex128 \(2, 1, 2, 1, 3\) and float64 \(2, 2, 3\)",
        ),
        (lambda: sionna_gains([np.ones((2, 1, 2, 1, 3)), np.ones((1, 1, 2, 1, 3))]), "the pair of their real"),
        (lambda: sionna_gains("rays"), "data must be numbers, got"),
        (lambda: deepmimo_gains(complex_numbers(2, 1, 1, 0)), "data must be powers of paths"),
    ],
)
def test_other_arrays_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
