"""`python -m stepwell_cli` is `stepwell`."""

from stepwell_cli.main import main

main()
