"""What the fair queue costs a request: processor time with a thousand others in line.

`crowd` is the load, `report` the table and the record; `__main__` takes the rounds and judges.
"""
