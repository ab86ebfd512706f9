"""What the service tells about itself: metrics, probes, logs and traces."""
