"""Who asked what of which model, and how it ended: a log that shows when it was changed.

`chain` is a line and how it holds on to the one before it; `file` is the file on the disk; `log` is what the server
writes to; `verification` reads it all again.
"""

from huatuo_server.audit.log import AuditLog

__all__ = ["AuditLog"]
