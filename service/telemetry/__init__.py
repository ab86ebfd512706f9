"""What the service tells about itself: metrics, probes and logs."""
