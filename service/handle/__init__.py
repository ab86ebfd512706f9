"""Steps 4 to 8: progress, dedupe, load, decide, save and outbox, in one transaction of PostgreSQL."""
