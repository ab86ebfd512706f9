"""State graphs as data, with their loader, validation and drawing."""
