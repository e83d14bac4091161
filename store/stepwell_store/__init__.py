"""The Store protocol and its two homes: Redis (or Valkey) and memory. No rule of the workflow language lives here."""
