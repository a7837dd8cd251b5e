"""Stands in for WeCom's own client: a chat window with our sidebar in it."""
