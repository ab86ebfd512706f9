"""Bookings and visits as commands in and change events out, over Kafka and PostgreSQL."""
