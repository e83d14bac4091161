"""What `import stepwell` offers, and that it costs nothing."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import stepwell


def test_the_facade_has_what_users_import() -> None:
    for name in stepwell.__all__:
        assert getattr(stepwell, name) is not None
    assert stepwell.__version__ == version("stepwell")
    assert dir(stepwell) == stepwell.__all__


def test_an_unknown_name_is_an_attribute_error_that_lists_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'activities'; it has .*activity"):
        stepwell.activities  # noqa: B018 - the access is what is tested


def test_importing_the_facade_loads_nothing_else() -> None:
    program = "import sys, stepwell; print([name for name in sys.modules if name.startswith('stepwell_')])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
