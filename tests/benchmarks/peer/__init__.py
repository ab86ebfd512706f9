"""The peer of the benchmark: the same job as FastStream's documentation teaches it, a record at a time.

One record is one transaction (inbox, read, merge patch with validation, version-guarded update, outbox), a task polls
the outbox and publishes its rows one after the other. The guarantees are the service's: at least once from Kafka, one
effect per command, versions without gaps, order per booking on the events topic, nothing published that is not stored.
"""
