"""Lets papermill pass parameters to TypeScript notebooks.

papermill writes parameters with a translator for each language, and has none for TypeScript. Its only entry point for extensions is that of engines. So this
module provides an engine: papermill imports the module, which registers the translator.

A value is written exactly, or refused. The kernel checks before any other cell runs that it has the type with which the notebook declares the parameter.
"""

import datetime
import json
import math
import re
from contextvars import ContextVar

from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillException
from papermill.models import Parameter
from papermill.translators import Translator, papermill_translators

# Beyond this, not every integer is a number of JavaScript. Source: ECMAScript, Number.MAX_SAFE_INTEGER.
MAX_SAFE_INTEGER = 2**53 - 1

NAME = re.compile(r"[^\W\d][\w$]*|[$][\w$]*")
DECLARATION = re.compile(
    r"^[ \t]*(?:export\s+)?(?P<how>let|const|var)\s+(?P<name>[\w$]+)\s*(?::\s*(?P<type>[^=\n]+?))?\s*"
    r"(?:=(?!=)\s*(?P<default>.*?))?\s*;?\s*(?://\s*(?P<help>.*?))?\s*$",
    re.MULTILINE,
)
# The forms of default values, by type.
DEFAULTS = {
    "bigint": r"-?\d[\d_]*n",
    "number": r"-?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?",
    "string": r"(?P<quote>['\"`])[^'\"`]*(?P=quote)",
    "boolean": "true|false",
}


class TypeScriptTranslator(Translator):
    """Writes parameters as TypeScript."""

    # The declarations of the parameters' cell, by name. papermill calls `inspect` for this cell right before `codify`.
    _declared: ContextVar[dict[str, re.Match[str]]] = ContextVar("declared", default={})

    @classmethod
    def inspect(cls, parameters_cell):
        declared = {found["name"]: found for found in DECLARATION.finditer(parameters_cell["source"])}
        cls._declared.set(declared)
        return [
            Parameter(name=name, inferred_type_name=type_of(found), default=found["default"] or "undefined", help=found["help"] or "")
            for name, found in declared.items()
        ]

    @classmethod
    def codify(cls, parameters, comment="Parameters"):
        declared = cls._declared.get()
        cls._declared.set({})
        constants, variables = [], []
        for name, value in parameters.items():
            if NAME.fullmatch(name) is None:
                raise PapermillException(f"{json.dumps(name)} is no name of a parameter; use letters, digits and _")
            found = declared.get(name)
            code = cls._translate_parameter(name, value, found)
            if found is not None and found["how"] == "const":
                annotation = f": {found['type']}" if found["type"] else ""
                constants.append(f"const {name}{annotation} = {code}")
            else:
                variables.append(f"  {cls.assign(name, code)}")
        # In a block, the last assignment is not a result, which would be shown.
        block = ["{", *variables, "}"] if variables else []
        return "\n".join([cls.comment(comment), *constants, *block]) + "\n"

    @classmethod
    def _translate_parameter(cls, name, value, found):
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and found is not None and type_of(found) == "bigint":
            return f"{value}n"
        try:
            return cls.translate(value)
        except ValueError as error:
            raise PapermillException(f"the parameter {name} cannot be given: {error}") from error

    @classmethod
    def translate(cls, val):
        if isinstance(val, (datetime.date, datetime.time)):
            return json.dumps(val.isoformat())
        if isinstance(val, tuple):
            return cls.translate_list(val)
        if val is None or isinstance(val, (str, bool, int, float, dict, list)):
            return super().translate(val)
        raise ValueError(f"a value of Python's type {type(val).__name__} has no like in TypeScript; give a text, a number, a list or a mapping")

    @classmethod
    def translate_none(cls, val):
        return "null"

    @classmethod
    def translate_escaped_str(cls, str_val):
        # A string literal of JSON is a string literal of TypeScript.
        return json.dumps(str_val)

    @classmethod
    def translate_int(cls, val):
        # A number would lose digits. A bigint does not have the type of a parameter that is a number, so the kernel refuses it.
        return str(val) if abs(val) <= MAX_SAFE_INTEGER else f"{val}n"

    @classmethod
    def translate_float(cls, val):
        if not math.isfinite(val):
            # papermill also writes parameters into the notebook's metadata, as JSON of Python. Other programs could not open that notebook.
            raise ValueError(f"{val} is no number that a notebook can keep; declare it as text, and give a text")
        return repr(float(val))

    @classmethod
    def translate_list(cls, val):
        return f"[{', '.join(cls.translate(each) for each in val)}]"

    @classmethod
    def translate_dict(cls, val):
        members = []
        for key, each in val.items():
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} is no text")
            # `"__proto__": x` would set the prototype of the object.
            written = '["__proto__"]' if key == "__proto__" else json.dumps(key)
            members.append(f"{written}: {cls.translate(each)}")
        return f"{{ {', '.join(members)} }}" if members else "{}"

    @classmethod
    def comment(cls, cmt_str):
        return f"// {cmt_str}".strip()


def type_of(declaration):
    """Return the declared type of a parameter, or the type of its default value; papermill's name `None` when the cell does not show it."""
    if declaration["type"]:
        return declaration["type"].strip()
    default = declaration["default"] or ""
    return next((name for name, pattern in DEFAULTS.items() if re.fullmatch(pattern, default)), "None")


class TypeScriptEngine(NBClientEngine):
    """papermill's own engine, which the entry point names."""


papermill_translators.register("typescript", TypeScriptTranslator)
