"""Service integrations that an activity stands in for: what its body is given of their arguments, and their answers.

Only `lambda:invoke` has an envelope; the activity of any other integration is given all arguments and answers itself.
The shapes are those of https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html.
"""

from typing import Any

import orjson

LAMBDA_INVOKE = "lambda:invoke"


def body_input(integration: str | None, arguments: Any) -> Any:
    """What the activity is called with."""
    if integration == LAMBDA_INVOKE and isinstance(arguments, dict) and "FunctionName" in arguments:
        return arguments.get("Payload", {})
    return arguments


def answer_json(integration: str | None, output: bytes) -> bytes:
    """The integration's answer around the activity's output, both JSON."""
    if integration != LAMBDA_INVOKE:
        return output
    return orjson.dumps({"ExecutedVersion": "$LATEST", "Payload": orjson.Fragment(output), "StatusCode": 200})
