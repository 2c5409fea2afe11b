"""The engine behind one protocol: `base`; the real one and its scripted twin."""
