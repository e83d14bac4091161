"""The start of every supervised process: `python -m stepwell_cli.child`, with its order on stdin.

The order names the role, its settings and options; afterwards the pipe is the lifeline (see `lifeline`).
"""

import sys

from stepwell_schemas.settings import Settings
from stepwell_store.errors import StoreError

from stepwell_cli.failures import CommandFailed
from stepwell_cli.lifeline import end_with_parent, read_order
from stepwell_cli.logs import configure_logging
from stepwell_cli.output import print_error
from stepwell_cli.roles import ROLES

SERVER_DELAY_SECONDS = 1.0
"""The others end first when all lose their supervisor at once."""


def run() -> int:
    """Carry out the order; the exit code."""
    order, lifeline = read_order()
    end_with_parent(lifeline, SERVER_DELAY_SECONDS if order["role"] == "server" else 0.0)
    settings = Settings(**order["settings"])
    configure_logging(settings.log_level, order["name"])
    try:
        ROLES[order["role"]](settings, order.get("options", {}))
    except CommandFailed as failure:
        print_error(failure.message, failure.details)
        return failure.exit_code
    except (StoreError, ValueError) as error:
        print_error(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
