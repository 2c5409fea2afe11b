"""A DICOM file -> one frame, and nothing of its patient."""
