"""The web console: shows what operations return, and does what a person asks through them. It decides nothing itself.

Server-rendered pages, one style sheet and one small script of our own; nothing is loaded from another host.
"""
