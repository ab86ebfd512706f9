"""Step 1: from Kafka's partitions to batches of records, from the offsets that PostgreSQL holds."""
