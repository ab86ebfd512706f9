"""Beside the flow: publishes aggregates as they stand, for consumers that start late or have lost their store."""
