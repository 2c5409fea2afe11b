"""What a patient's data looks like in every field of a request, and whether it turns up where it must not."""
