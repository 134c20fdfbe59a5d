import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skbinnet._network import INITS, check_layers, flatten, init_params, unflatten

SIZES = [200, 50, 1]


def test_coefs_and_intercepts_are_views_in_layer_order():
    params = np.arange(11.0)
    coefs, intercepts = unflatten(params, [2, 2, 1, 1])
    assert [W.tolist() for W in coefs] == [[[0, 1], [2, 3]], [[6], [7]], [[9]]]
    assert [b.tolist() for b in intercepts] == [[4, 5], [8], [10]]
    assert all(np.shares_memory(part, params) for part in coefs + intercepts)
    assert_array_equal(flatten(coefs, intercepts), params)
    checked, layer_sizes = check_layers(coefs, intercepts, 2)
    assert_array_equal(checked, params)
    assert layer_sizes == [2, 2, 1, 1]


def draw(init, dtype=np.float64):
    return init_params(SIZES, init, np.random.RandomState(0), dtype)


@pytest.mark.parametrize("init", INITS)
def test_initial_weights_do_not_depend_on_dtype(init):
    single = draw(init, np.float32)
    assert single.dtype == np.float32
    assert_array_equal(draw(init).astype(np.float32), single)


def test_initial_weights_follow_their_formulas():
    bound = np.sqrt(6 / 250)
    (W, _), (b, _) = unflatten(draw("glorot"), SIZES)
    assert 0.99 * bound < np.abs(W).max() <= bound
    assert 0.8 * bound < np.abs(b).max() <= bound
    (W, _), (b, _) = unflatten(draw("he"), SIZES)
    assert_allclose(W.std(), np.sqrt(2 / 200), rtol=0.02)
    assert_array_equal(b, 0)
    (W, _), (b, _) = unflatten(draw("normal"), SIZES)
    assert_allclose(W.std(), 1, rtol=0.02)
    assert_allclose(b.std(), 1, rtol=0.3)


def test_params_are_copied_only_if_the_layers_do_not_lie_in_one_vector():
    def is_shared(coefs, intercepts):
        params, _ = check_layers(coefs, intercepts, 2)
        assert_array_equal(params, flatten(coefs, intercepts))
        return np.shares_memory(params, coefs[0])

    vector = np.arange(15.0)
    for dtype in (np.float32, np.float64):
        W, b = unflatten(vector.astype(dtype), [2, 2, 2, 1])
        assert is_shared(W, b)
        assert not is_shared([W[0].T, *W[1:]], b)  # another order of the numbers
        assert not is_shared([W[1], W[0], W[2]], b)  # of the layers
        assert not is_shared([W[0].copy(), *W[1:]], b)
    W, b = unflatten(vector.astype(int), [2, 2, 2, 1])
    assert not is_shared(W, b)
    W, b = unflatten(np.arange(16.0), [2, 2, 2, 1])
    assert not is_shared(W, b)  # a number is left over
    W, b = unflatten(vector.astype(">f8"), [2, 2, 2, 1])
    assert not is_shared(W, b)
    W, b = unflatten(np.array([np.arange(15.0)])[0], [2, 2, 2, 1])
    assert not is_shared(W, b)  # the array that owns the numbers has two dimensions
    t = np.arange(1, 8).astype(">f8")  # integers and floats in one vector
    params, _ = check_layers([t[:6].reshape(6, 1).view(">i8")], [t[6:]], 6)
    assert_array_equal(params, [*t[:6].view(">i8").astype(float), 7])
