"""Walks every order of outcomes, timeouts and events of a definition up to a bound, and checks invariants."""
