"""Run the checks of one module; one JSON line on stdout for each, so that none can be left out unseen."""

import json
import sys
import unittest


class Lines(unittest.TextTestResult):
    def stopTest(self, test):
        super().stopTest(test)
        own = [text for list_ in (self.failures, self.errors) for failed, text in list_ if failed is test or getattr(failed, "test_case", None) is test]
        skipped = [reason for skipped, reason in self.skipped if skipped is test]
        outcome = "failed" if own else "skipped" if skipped else "passed"
        detail = "\n".join(own or skipped)
        print(json.dumps({"check": test._testMethodName, "outcome": outcome, "detail": detail}), flush=True)


suite = unittest.defaultTestLoader.loadTestsFromName(sys.argv[1])
unittest.TextTestRunner(resultclass=Lines, stream=sys.stderr).run(suite)
