"""Where the pure core meets I/O: the partition loop, leases, timers, dispatcher and catalogue."""
