"""Pure rules: what a command does to a booking or a visit."""
