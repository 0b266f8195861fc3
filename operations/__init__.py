"""What a person may ask or do. Functions take services and arguments and return values: nothing here prints or exits.

What cannot be done is an exception (`operations.errors`); whoever shows the result decides how.
"""
