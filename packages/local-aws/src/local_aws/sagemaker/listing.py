"""Filters, order and pages of the List operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.sagemaker.errors import invalid

_PAGE = 10


def page(
    summaries: Sequence[Mapping[str, Any]], request: Mapping[str, Any], word: str
) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
    """Entries of one page, and the NextToken if there are more.

    Args:
        summaries: All entries.
        request: Members of the List operation.
        word: What names and statuses begin with, for instance TrainingJob.

    Raises:
        SageMakerError: The token is not one of this server's.
    """
    kept = [each for each in summaries if _matches(each, request, word)]
    by = request.get("SortBy", "CreationTime")
    member = by if by == "CreationTime" else f"{word}{by}"
    kept.sort(key=lambda each: each[member], reverse=request.get("SortOrder") != "Ascending")
    token = request.get("NextToken", "0")
    if not token.isdigit():
        raise invalid(f"Invalid NextToken {token}")
    start = int(token)
    end = start + request.get("MaxResults", _PAGE)
    more = {"NextToken": str(end)} if end < len(kept) else {}
    return kept[start:end], more


def _matches(summary: Mapping[str, Any], request: Mapping[str, Any], word: str) -> bool:
    modified = summary.get("LastModifiedTime", 0.0)
    created = summary["CreationTime"]
    return (
        request.get("NameContains", "").lower() in summary[f"{word}Name"].lower()
        and request.get("StatusEquals") in (None, summary.get(f"{word}Status"))
        and request.get("CreationTimeAfter", created) <= created
        and created <= request.get("CreationTimeBefore", created)
        and request.get("LastModifiedTimeAfter", modified) <= modified
        and modified <= request.get("LastModifiedTimeBefore", modified)
    )
