"""S3 as the jobs see it when S3 refuses."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from local_aws.sagemaker import storage

from .sagemaker_server import client


def test_what_is_not_there() -> None:
    s3 = client("s3", "http://127.0.0.1:1")
    with Stubber(s3) as stub:
        stub.add_client_error("list_objects_v2", "NoSuchBucket", http_status_code=404)
        assert storage.keys_below(s3, "s3://bucket/key") == []
        stub.add_client_error("head_object", "404", http_status_code=404)
        assert not storage.exists(s3, "s3://bucket/key")


def test_other_errors_are_told() -> None:
    s3 = client("s3", "http://127.0.0.1:1")
    with Stubber(s3) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
        with pytest.raises(ClientError, match="AccessDenied"):
            storage.keys_below(s3, "s3://bucket/key")
        stub.add_client_error("head_object", "403", http_status_code=403)
        with pytest.raises(ClientError, match="403"):
            storage.exists(s3, "s3://bucket/key")
