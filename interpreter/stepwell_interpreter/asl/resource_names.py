"""The service integrations that Step Functions offers by name (the "optimized" ones), with their patterns.

Any other `arn:aws:states:::service:action` is refused, as AWS does; `aws-sdk:` actions are not listed by anybody.
"""

from typing import Final

_PLAIN: Final = ("",)
_SYNC: Final = ("", "sync")
_TOKEN: Final = ("", "waitForTaskToken")

OFFERED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "apigateway": {"invoke": _TOKEN},
    "athena": {
        "startQueryExecution": _SYNC,
        "stopQueryExecution": _PLAIN,
        "getQueryExecution": _PLAIN,
        "getQueryResults": _PLAIN,
    },
    "batch": {"submitJob": _SYNC},
    "bedrock": {"invokeModel": _PLAIN, "createModelCustomizationJob": _SYNC},
    "codebuild": {
        "startBuild": _SYNC,
        "stopBuild": _PLAIN,
        "batchDeleteBuilds": _PLAIN,
        "batchGetReports": _PLAIN,
        "startBuildBatch": _SYNC,
        "stopBuildBatch": _PLAIN,
        "retryBuildBatch": _SYNC,
        "deleteBuildBatch": _PLAIN,
    },
    "databrew": {"startJobRun": _SYNC},
    "dynamodb": dict.fromkeys(("getItem", "putItem", "updateItem", "deleteItem"), _PLAIN),
    "ecs": {"runTask": ("", "sync", "waitForTaskToken")},
    "eks": {
        "createCluster": _SYNC,
        "deleteCluster": _SYNC,
        "createFargateProfile": _SYNC,
        "deleteFargateProfile": _SYNC,
        "createNodegroup": _SYNC,
        "deleteNodegroup": _SYNC,
        "runJob": _SYNC,
        "call": _PLAIN,
    },
    "elasticmapreduce": {
        "createCluster": _SYNC,
        "terminateCluster": _SYNC,
        "addStep": _SYNC,
        "cancelStep": _PLAIN,
        "setClusterTerminationProtection": _PLAIN,
        "modifyInstanceFleetByName": _PLAIN,
        "modifyInstanceGroupByName": _PLAIN,
    },
    "emr-containers": {"createVirtualCluster": _PLAIN, "deleteVirtualCluster": _SYNC, "startJobRun": _SYNC},
    "emr-serverless": {
        "createApplication": _SYNC,
        "startApplication": _SYNC,
        "stopApplication": _SYNC,
        "deleteApplication": _SYNC,
        "startJobRun": _SYNC,
        "cancelJobRun": _SYNC,
    },
    "events": {"putEvents": _TOKEN},
    "glue": {"startJobRun": _SYNC},
    "http": {"invoke": _PLAIN},
    "lambda": {"invoke": _TOKEN},
    "mediaconvert": {"createJob": _SYNC},
    "sagemaker": {
        "createEndpoint": _PLAIN,
        "createEndpointConfig": _PLAIN,
        "createModel": _PLAIN,
        "updateEndpoint": _PLAIN,
        "createHyperParameterTuningJob": _SYNC,
        "createLabelingJob": _SYNC,
        "createProcessingJob": _SYNC,
        "createTrainingJob": _SYNC,
        "createTransformJob": _SYNC,
    },
    "sns": {"publish": _TOKEN},
    "sqs": {"sendMessage": _TOKEN},
    "states": {"startExecution": ("", "sync", "sync:2", "waitForTaskToken")},
}
"""Service -> action -> the patterns it may be called with; "" is request and response."""

READERS: Final = frozenset({"s3:getObject", "s3:listObjectsV2"})
WRITERS: Final = frozenset({"s3:putObject"})


def is_offered(service: str, action: str, pattern: str) -> bool:
    """Whether AWS has such an integration."""
    return pattern in OFFERED.get(service, {}).get(action, ())
