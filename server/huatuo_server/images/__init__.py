"""An image's file -> what the model sees of it.

`sources` (where it is), `preparation` (admission, cache) and `workers` (the processes) run in the server; `worker`,
`look`, the readers in `plain` and `dicom`, `window` and `prepare` run in an image worker, where bytes are decoded.
"""
