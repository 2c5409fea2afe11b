"""A thousand requests that mean harm, or nothing at all: the engine lives, and its other clients notice nothing."""
