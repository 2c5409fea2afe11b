"""Who asked what of which model, and how it ended: a log that shows when it was changed.

`chain` is a line and how it holds on to the one before it; `file` is the file on the disk; `head` is
kept beside it for the next one; `log` is what the server
writes to; `verification` reads it all again.
"""

from huatuo_server.audit.log import AuditLog, AuditUnanswered

__all__ = ["AuditLog", "AuditUnanswered"]
