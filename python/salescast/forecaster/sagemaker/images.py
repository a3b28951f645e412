"""Container images: where each region keeps the built-in DeepAR, and which its jobs can pull."""

from __future__ import annotations

import re

from salescast.errors import UserError
from salescast.lake.trained_models import BUILT_IN_REPOSITORY

# `:1`, because AWS may change what `:latest` does.
VERSION = "1"

ACCOUNTS = {
    "af-south-1": "455444449433",
    "ap-east-1": "286214385809",
    "ap-northeast-1": "633353088612",
    "ap-northeast-2": "204372634319",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "991648021394",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "475088953585",
    "ap-southeast-2": "514117268639",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "469771592824",
    "ca-west-1": "190319476487",
    "cn-north-1": "390948362332",
    "cn-northwest-1": "387376663083",
    "eu-central-1": "495149712605",
    "eu-central-2": "680994064768",
    "eu-north-1": "669576153137",
    "eu-south-1": "257386234256",
    "eu-south-2": "104374241257",
    "eu-west-1": "224300973850",
    "eu-west-2": "644912444149",
    "eu-west-3": "749696950732",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "249704162688",
    "sa-east-1": "855470959533",
    "us-east-1": "522234722520",
    "us-east-2": "566113047672",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "226302683700",
    "us-iso-east-1": "490574956308",
    "us-isob-east-1": "765400339828",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "632365934929",
    "us-west-2": "156387875391",
}
"""Account that holds the image, by region."""

_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
_ECR = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.]+/\S+")


def built_in_image(region: str) -> str:
    """URI of the built-in DeepAR, the same for training and inference.

    Raises:
        UserError: The region does not have it.
    """
    if region not in ACCOUNTS:
        raise UserError(
            f"SageMaker's built-in DeepAR is not offered in {region}.",
            where="AWS_REGION",
            fix="Set SALESCAST_SAGEMAKER_IMAGE to our own image in this region's ECR, or take "
            "another region.",
        )
    suffix = next(
        (text for start, text in _SUFFIXES.items() if region.startswith(start)), "amazonaws.com"
    )
    return f"{ACCOUNTS[region]}.dkr.ecr.{region}.{suffix}/{BUILT_IN_REPOSITORY}:{VERSION}"


def check_image(image: str, region: str) -> None:
    """Refuse an image that a job of the region could not pull.

    Raises:
        UserError: It is not in ECR, or in another region.
    """
    found = _ECR.fullmatch(image)
    if found is None:
        raise UserError(
            f"{image} is no image in ECR, from where alone SageMaker's jobs pull.",
            where="SALESCAST_SAGEMAKER_IMAGE",
            fix=f"Push it (deploy/image/README.md) and give its URI, as "
            f"123456789012.dkr.ecr.{region}.amazonaws.com/salescast:1.",
        )
    if found[1] != region:
        raise UserError(
            f"The image is in {found[1]}, the jobs are in {region}.",
            where="SALESCAST_SAGEMAKER_IMAGE",
            fix=f"Push it to ECR in {region} too, or set AWS_REGION to {found[1]}.",
        )
