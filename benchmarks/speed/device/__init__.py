"""What `benchmarks.speed.gpu` is made of: a server on a model's real sizes, asked, timed and held to a roofline."""
