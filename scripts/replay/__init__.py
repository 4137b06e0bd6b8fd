"""`make replay`: every row of a file of real shopping traffic, through the API, and then the books.

`rows` reads the file, `plan` says what each row becomes, `shopping` does it, `books` adds it up; docs/replay.md
explains.
"""
