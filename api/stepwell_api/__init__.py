"""The HTTP API: management, event ingress, callbacks. Every error it gives is application/problem+json."""
