"""Run the checks of one module, or `--list` those of several. Prints one JSON line for each check, so that a missing one is noticed."""

import json
import sys
import unittest


class Lines(unittest.TextTestResult):
    def stopTest(self, test):
        super().stopTest(test)
        own = [text for list_ in (self.failures, self.errors) for failed, text in list_ if failed is test or getattr(failed, "test_case", None) is test]
        skipped = [reason for skipped, reason in self.skipped if skipped is test]
        outcome = "failed" if own else "skipped" if skipped else "passed"
        print_line({"check": test._testMethodName, "outcome": outcome, "detail": "\n".join(own or skipped)})


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
    unittest.TextTestRunner(resultclass=Lines, stream=sys.stderr).run(load(sys.argv[1]))
