"""Policy expressions: a typed subset of C#, compiled when the gateway starts.

`compile_text("@(context.Request.Method == \\"GET\\")", "bool")` gives a function of the context.
What the subset holds is stated in COMPATIBILITY.md; everything else is refused by name, with its offset.
"""

from localazure.apim.expressions.compiler import Expression, compile_text

__all__ = ["Expression", "compile_text"]
