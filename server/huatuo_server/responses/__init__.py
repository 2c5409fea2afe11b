"""Pieces of answers -> what goes out: the chunks or the completion of chat, the events or the object of Responses."""
