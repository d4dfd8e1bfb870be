"""A mock upstream that speaks all four formats, and refuses what the real providers refuse.

What it answers follows from the request, and from words in the last user turn: `mock:tool`, `mock:parallel`,
`mock:reason`, `mock:long=2000`, `mock:gap=3`, `mock:cut`, `mock:400`, `mock:429`, `mock:500`, `mock:cached`.
Its answers are written by hand in each format, not by `newapi.formats`: what tests it is not to share its mistakes.
"""
