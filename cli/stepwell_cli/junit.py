"""Results as JUnit XML, which CI systems read: one test suite per file, one test case per scenario."""

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as Tree

from stepwell_interpreter.scenarios.coverage import Coverage
from stepwell_interpreter.scenarios.results import ScenarioResult
from stepwell_schemas.problems import Problem

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(
    results: Mapping[str, Sequence[ScenarioResult]],
    unusable: Mapping[str, Sequence[Problem]],
    coverages: Sequence[Coverage] = (),
) -> bytes:
    """The document. `results` and `unusable` by file; coverage goes into the properties of the first suite,
    since the format has none for the whole.
    """
    root = Tree.Element("testsuites", {"name": "stepwell test"})
    for file in dict.fromkeys([*results, *unusable]):
        _suite(root, file, results.get(file, ()), unusable.get(file, ()))
    first = root.find("testsuite")
    if coverages and first is not None:
        first.insert(0, _properties(coverages))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root.iter("testsuite"))))
    root.set("time", f"{sum(float(suite.get('time', '0')) for suite in root.iter('testsuite')):.6f}")
    Tree.indent(root)
    written: bytes = Tree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(
    root: Tree.Element, file: str, results: Sequence[ScenarioResult], problems: Sequence[Problem]
) -> None:
    suite = Tree.SubElement(root, "testsuite", {"name": _text(file), "file": _text(file)})
    for result in results:
        _case(suite, result)
    if problems:
        case = Tree.SubElement(suite, "testcase", {"name": "(the file)", "classname": _text(file)})
        error = Tree.SubElement(
            case, "error", {"message": _text(problems[0].message), "type": problems[0].code}
        )
        error.text = _text("\n".join(str(problem) for problem in problems))
    verdicts = [result.verdict for result in results]
    suite.set("tests", str(len(results) + bool(problems)))
    suite.set("failures", str(verdicts.count("failed")))
    suite.set("errors", str(verdicts.count("unusable") + bool(problems)))
    suite.set("skipped", str(verdicts.count("skipped")))
    suite.set("time", f"{sum(result.seconds for result in results):.6f}")


def _case(suite: Tree.Element, result: ScenarioResult) -> None:
    case = Tree.SubElement(
        suite,
        "testcase",
        {"name": _text(result.name), "classname": _text(result.file or ""), "time": f"{result.seconds:.6f}"},
    )
    if result.file is not None:
        case.set("file", _text(result.file))
    if result.line is not None:
        case.set("line", str(result.line))
    match result.verdict:
        case "failed":
            message = ", ".join(dict.fromkeys(each.what for each in result.differences))
            failure = Tree.SubElement(case, "failure", {"message": _text(message), "type": "expectation"})
            failure.text = _text(result.explanation())
        case "unusable":
            error = Tree.SubElement(
                case, "error", {"message": "the scenario cannot be run", "type": "unusable"}
            )
            error.text = _text(result.explanation())
        case "skipped":
            Tree.SubElement(case, "skipped", {"message": _text("; ".join(result.notes))})
        case "passed":
            pass


def _properties(coverages: Sequence[Coverage]) -> Tree.Element:
    properties = Tree.Element("properties")
    for coverage in coverages:
        for kind, (used, total) in coverage.counts().items():
            name = f"coverage.{coverage.definition}.{kind}"
            Tree.SubElement(properties, "property", {"name": _text(name), "value": f"{used}/{total}"})
    return properties


def _text(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _FORBIDDEN.sub("�", text)
