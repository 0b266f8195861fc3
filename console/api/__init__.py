"""`/api/v1`, the door for programs that speak HTTP: an application of its own, opened by producers' keys alone.

No cookie counts here, and no key counts on the console's pages.
"""
