from hypothesis import given
from hypothesis import strategies as st

from harness.leaderboard.cost import pareto_front

OFFERS = st.lists(st.tuples(st.integers(0, 6).map(float), st.integers(1, 6).map(float)), max_size=12)


@given(OFFERS)
def test_point_is_on_front_if_not_dominated(offers):
    beaten = [any(other != one and other[0] >= one[0] and other[1] <= one[1] for other in offers) for one in offers]
    assert pareto_front(offers) == [not lost for lost in beaten]


def test_best_and_the_fastest_are_always_on_it():
    assert pareto_front([(0.5, 3.0), (0.4, 1.0), (0.45, 3.0), (0.4, 2.0), (0.5, 3.0)]) == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert pareto_front([]) == []
