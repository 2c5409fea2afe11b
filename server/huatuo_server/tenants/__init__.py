"""Who may ask, and how much: keys, the file that they are kept in, and the quotas of each."""
