"""Run the checks of modules in this folder or in PYTHONPATH, or `--list` them. Prints one JSON line for each check, so that a missing one is noticed."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.getcwd())


class Lines(unittest.TextTestResult):
    def stopTest(self, test):
        super().stopTest(test)
        own = [text for list_ in (self.failures, self.errors) for failed, text in list_ if failed is test or getattr(failed, "test_case", None) is test]
        skipped = [reason for skipped, reason in self.skipped if skipped is test]
        outcome = "failed" if own else "skipped" if skipped else "passed"
        print_line({"module": type(test).__module__, "check": test._testMethodName, "outcome": outcome, "detail": "\n".join(own or skipped)})


def print_line(line):
    print(json.dumps(line), flush=True)


def load(module):
    return unittest.defaultTestLoader.loadTestsFromName(module)


def checks_of(suite):
    return [check for part in suite for check in (checks_of(part) if isinstance(part, unittest.TestSuite) else [part])]


if sys.argv[1] == "--list":
    for module in sys.argv[2:]:
        for check in checks_of(load(module)):
            print_line({"module": module, "check": check._testMethodName})
else:
    suite = unittest.TestSuite(load(module) for module in sys.argv[1:])
    unittest.TextTestRunner(resultclass=Lines, stream=sys.stderr).run(suite)
