"""Running a definition without a server: a small world with virtual time around `decide`."""
