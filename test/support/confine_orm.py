"""Convert confine-orm 0.2.2, CONFINE's client, from Python 2 to Python 3: `confine_orm.py FOLDER` writes its package `orm` there.

The package is installed from PyPI as it is. 2to3, the usual program for this, is no part of Python any more. `changes` has all that is changed; each says why, and
one that finds nothing is an error, so that the client which is tested is known exactly. Nothing of how it uses an API is changed.
"""

import importlib.metadata
import pathlib
import re
import sys

version = "0.2.2"

# (files, what is there, what comes in its place): regular expressions, line by line.
changes = [
    # `async` is a word of the language since Python 3.7. It is the name of an argument and of a statistic.
    (r".*", r"\basync\b", "asynchronous"),
    # Dictionaries returned lists of their members, which stayed the same while the dictionary changed.
    (r".*", r"([\w.]+)\.(?:iter)?items\(\)", r"list(\1.items())"),
    (r"tests/test_api", r"([\w.]+)\.keys\(\)", r"list(\1.keys())"),
    (r"resources", r"^( +)(map\(.*\))$", r"\1list(\2)"),
    (r"caches", r"\bcPickle\b", "pickle"),
    # Divisions of whole numbers were whole.
    (r"api", r"status_code/100", "status_code//100"),
    # What is read from the network was text.
    (r"api", r"response\.content\[:200\]", "response.content[:200].decode('utf-8', 'replace')"),
    # A class that compares its objects kept the hash of their identity.
    (r"resources", r"^(    )(def __eq__\(.*)$", r"\1__hash__ = object.__hash__\n\n\1\2"),
    # `hasattr` took any error for an absence, also that of a collection which is being copied and has no manager yet.
    (r"resources", r"^( +)return getattr\(self\.manager, name\)$", r"\1return getattr(self.__dict__.get('manager'), name)"),
    # gevent keeps this under its public name alone.
    (r"resources", r"\b(_?glet)\._exception\b", r"\1.exception"),
    (r"tests/utils", r"\bunicode\(", "str("),
    # A number was less than any text.
    (r"tests/test_api", r"assertLess\(20, auth_header\)", "assertLess(20, len(auth_header))"),
]


def convert(folder):
    found = importlib.metadata.distribution("confine-orm")
    if found.version != version:
        raise SystemExit(f"these changes are for confine-orm {version}, not {found.version}")
    unused = set(range(len(changes)))
    for file in found.files or []:
        if file.suffix != ".py" or file.parts[0] != "orm":
            continue
        name = "/".join(file.with_suffix("").parts[1:])
        text = file.locate().read_text(encoding="utf-8")
        for index, (names, pattern, replacement) in enumerate(changes):
            if re.fullmatch(names, name):
                text, count = re.subn(pattern, replacement, text, flags=re.MULTILINE)
                if count > 0:
                    unused.discard(index)
        target = pathlib.Path(folder, *file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    if unused:
        raise SystemExit(f"found nothing to change by {[changes[index] for index in sorted(unused)]}")


convert(sys.argv[1])
