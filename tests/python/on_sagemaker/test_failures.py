"""What to do about a failure is found by signs that no other text holds by chance."""

from __future__ import annotations

import pytest

from salescast.forecaster.sagemaker.failures import fix_of

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("ClientError: Unable to decrypt the volume with KMS key arn:aws:kms:x", "kms:Decrypt"),
        ("ClientError: KMSAccessDenied while it read train.json.gz", "policies"),
        (f"ClientError: Cannot pull image {ECR}/salescast:1", "SALESCAST_SAGEMAKER_IMAGE"),
        (f"Requested image {ECR}/salescast:1 not found.", "SALESCAST_SAGEMAKER_IMAGE"),
        ("ClientError: ECR image is gone", "SALESCAST_SAGEMAKER_IMAGE"),
        ("Too much data for max payload size", "MAX_PAYLOAD_MB"),
        ("ClientError: a record of 9 bytes exceeds MaxPayloadInMB, 8 bytes", "MAX_PAYLOAD_MB"),
        ("ClientError: the server answered 413", "MAX_PAYLOAD_MB"),
        ("ClientError: role arn:aws:iam::413413413413:role/r is odd", "Mend the data"),
        ("AlgorithmError: the loss is larger than any float", "Look at the log"),
        ("AlgorithmError: cannot decrypt itself", "Look at the log"),
        ("AlgorithmError: the payload of line 3 is no JSON", "Look at the log"),
        ("Could not access model data at s3://b/m.tar.gz", "s3:GetObject"),
        ("ClientError: Failed to download model data from s3://b/m.tar.gz", "s3:GetObject"),
        ("AlgorithmError: the model data are strange", "Look at the log"),
    ],
)
def test_a_reason_has_its_own_fix(reason: str, fix: str) -> None:
    assert fix in str(fix_of(reason))
