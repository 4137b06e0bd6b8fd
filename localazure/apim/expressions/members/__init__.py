"""Which members the types of the subset have, and what they do, one module for each subject.

Source of the names: "API Management policy expressions" (context variable, .NET types allowed) and the
documentation of .NET and of Newtonsoft.Json for their behaviour.
"""

from localazure.apim.expressions.members import (
    bytes_,
    certificates,
    collections,
    context,
    dates,
    json,
    linq,
    numbers,
    patterns,
    texts,
    xml,
)
from localazure.apim.expressions.members.context import claim_lists

LOADED = (bytes_, certificates, collections, context, dates, json, linq, numbers, patterns, texts, xml)

__all__ = ["LOADED", "claim_lists"]
