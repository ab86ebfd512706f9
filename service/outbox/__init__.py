"""Step 8: events, results and dead letters become rows that are ready to send."""
