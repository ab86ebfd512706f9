"""Beside the flow: turns timers that are due into commands of the service itself."""
