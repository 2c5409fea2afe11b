"""Image bytes -> what the model sees: decode (upright RGB), prepare (the padded square), identity (the cache key)."""
