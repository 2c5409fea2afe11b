"""Stock vLLM as the rival: its own server, with a template that writes our prompt, on the same checkpoint."""
