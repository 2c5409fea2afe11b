"""The tiny model that sees: what it is trained on, and how it is trained."""
