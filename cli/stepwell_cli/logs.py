"""Logging of our processes: one line per message on stderr, with the process's name in front."""

import logging
import sys
import time


def configure_logging(level: str, name: str) -> None:
    """Set up the root logger of this process. Other libraries are heard from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ {name:<9} %(levelname)-7s %(message)s", "%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("stepwell").setLevel(level.upper())
    for package in ("schemas", "interpreter", "store", "engine", "activities", "ingress", "api", "cli"):
        logging.getLogger(f"stepwell_{package}").setLevel(level.upper())
