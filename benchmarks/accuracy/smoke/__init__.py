"""The regression gate: bugs that once cost accuracy, planted in our server one by one, must change a figure.

    data sets -> benchmarks.accuracy's readers, run, scores -> score
    questions -> huatuo_server.reference and the server     -> parity

`python -m benchmarks.accuracy.smoke` starts one server (`planted`), measures it without a bug and with each one.
"""
