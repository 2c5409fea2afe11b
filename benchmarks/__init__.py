"""What the server's speed is measured with. Each package here is one benchmark: `python -m benchmarks.images`."""
