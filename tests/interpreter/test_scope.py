"""Names in scope and the deterministic source of chance."""

from stepwell_interpreter.scope import MISSING, Scope, constant, place_of


def test_draws_are_the_same_for_the_same_seed_and_differ_within_a_step() -> None:
    one, again, other = Scope(seed="a"), Scope(seed="a"), Scope(seed="b")
    drawn = [one.draw(), one.draw()]
    assert drawn == [again.draw(), again.draw()]
    assert drawn[0] != drawn[1]
    assert other.draw() not in drawn


def test_a_scope_says_what_is_in_it() -> None:
    assert Scope(state={}, input=None).present() == ["input", "state"]
    assert place_of("item") == "inside a map"
    assert place_of("state") == "everywhere"
    assert repr(MISSING) == "MISSING"


def test_a_constant_is_not_copied() -> None:
    value = {"a": [1]}
    assert constant(value).evaluate(Scope()) is value
