"""The front doors for device events: what comes in over HTTP or by command, and the dead letters."""
