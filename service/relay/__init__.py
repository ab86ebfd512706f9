"""Step 9: from the outbox to Kafka, in order, by one owner."""
