"""jinja2 as transformers sets it up for chat templates: the oracle of the goldens and of the fuzzer."""

import jinja2
import transformers
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

assert jinja2.__version__ == "3.1.6", jinja2.__version__
assert transformers.__version__ == "5.23.0", transformers.__version__


def render(template, variables):
    """{"rendered": text} or {"error": message}."""
    try:
        return {"rendered": _cached_compile_jinja_template(template).render(**variables)}
    except Exception as error:  # whatever Python raises is an error of the template
        return {"error": f"{type(error).__name__}: {error}"}
