"""The canonical form: what a request, an answer and a stream say, whichever format said it."""
