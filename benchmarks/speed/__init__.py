"""Speed against stock vLLM: the same checkpoint, engine arguments, machine and minutes.

`pairs` has both servers up (`server`, `rival`) and lets AIPerf (`aiperf`) send each `workload` to one and the other,
while a `meter` reads what their processes use. A `measurement` is what comes of it; `report` judges them by the `bars`.
"""
