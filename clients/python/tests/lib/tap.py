"""Runs one file of unittest cases and writes TAP, as scripts/cases.awk counts it: tap.py FILE [CASE...]"""

import importlib.util
import pathlib
import sys
import traceback
import unittest


class TapResult(unittest.TestResult):
    """One line a case, named as our C tests are: test_key__made_now__is_new is key__made_now__is_new."""

    def __init__(self):
        super().__init__()
        self.count = 0

    @staticmethod
    def _say(line):
        print(line, flush=True)

    @staticmethod
    def _name(test):
        return test.id().rsplit(".", 1)[-1].replace("test_", "", 1)

    def _fail(self, test, words):
        self.count += 1
        self._say(f"not ok {self.count} - {self._name(test)}")
        for line in words.rstrip().splitlines():
            self._say(f"# {line}")

    def addSuccess(self, test):
        self.count += 1
        self._say(f"ok {self.count} - {self._name(test)}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, "".join(traceback.format_exception(*err)))

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, "".join(traceback.format_exception(*err)))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, str(subtest) + "\n" + "".join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.count += 1
        self._say(f"skipped: {reason}")
        self._say(f"ok {self.count} # SKIP {self._name(test)}")


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    loader = unittest.TestLoader()
    suite = (loader.loadTestsFromNames(sys.argv[2:], module) if len(sys.argv) > 2
             else loader.loadTestsFromModule(module))
    print(f"1..{suite.countTestCases()}", flush=True)
    result = TapResult()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() and suite.countTestCases() > 0 else 1)


if __name__ == "__main__":
    main()
