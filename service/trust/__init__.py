"""Who may send: clients, their secrets and limits, and how secrets are kept."""
