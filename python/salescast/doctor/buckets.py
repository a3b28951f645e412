"""Checks of the buckets: where they are, what may be done below each prefix, who holds the lock."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from salescast.aws import error_code, is_denied
from salescast.doctor.aws_errors import asking
from salescast.doctor.check import Check, Outcome, failed, failed_with, not_checked, ok, warning
from salescast.errors import RunError, SalescastError, Taken, UserError
from salescast.lake.s3_lock import NAME as LOCK
from salescast.lake.s3_lock import STALE_SECONDS
from salescast.s3 import Prefix

# Athena does not read files with such a name, should one be left behind.
PROBE = "_salescast_doctor_"

_VARIABLES = {
    "lake": "SALESCAST_LAKE",
    "work": "SALESCAST_WORK",
    "staging": "SALESCAST_ATHENA_STAGING",
    "data": "SALESCAST_ATHENA_DATA",
    "temp": "SALESCAST_ATHENA_TEMP",
}
_KEPT = ("lake", "data")
"""Prefixes whose objects nothing may remove."""

_ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}
"""Storage classes that Athena passes over."""

_BODY = b"A probe of salescast doctor; it may be deleted.\n"
_OTHER_VERSION = f'"{"0" * 32}"'


def bucket_checks(
    prefixes: Callable[[], Mapping[str, Prefix]], names: Mapping[str, str], needs: str
) -> list[Check]:
    """Checks of each bucket, of each prefix, and of the lock of the lake.

    Args:
        prefixes: The prefixes by name, opened at first use.
        names: Bucket of each prefix.
        needs: Name of the check without which nothing can be asked.
    """
    checks = []
    for bucket in dict.fromkeys(names.values()):
        here = [name for name in names if names[name] == bucket]
        checks.append(Check(f"bucket {bucket}", partial(_bucket, prefixes, bucket, here), (needs,)))
        if kept := [name for name in here if name in _KEPT]:
            look = partial(_lifecycle, prefixes, bucket, kept)
            checks.append(Check(f"lifecycle of {bucket}", look, (f"bucket {bucket}",)))
    for name, bucket in names.items():
        checks.append(Check(name, partial(_rights, prefixes, name), (f"bucket {bucket}",)))
    lock_needs = (f"bucket {names['lake']}",)
    return [*checks, Check("lock of the lake", partial(_lock, prefixes), lock_needs)]


def _bucket(
    prefixes: Callable[[], Mapping[str, Prefix]], bucket: str, here: Iterable[str]
) -> Outcome:
    """Ask whether the bucket is there, and in which region."""
    variables = ", ".join(_VARIABLES[name] for name in here)
    s3 = prefixes()["lake"].s3
    try:
        with asking(f"s3://{bucket}"):
            answer = s3.head_bucket(Bucket=bucket)
    except SalescastError as error:
        cause = error.__cause__
        if not isinstance(cause, ClientError):
            raise
        if error_code(cause) in ("404", "NoSuchBucket"):
            raise UserError(
                f"The bucket {bucket} does not exist.",
                where=variables,
                fix="Make it, or name another bucket there.",
            ) from cause
        if not is_denied(cause):
            raise
        # A right to list that is bound to a prefix does not reach the bucket itself.
        answer = cause.response
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if region is None:
        return not_checked("the bucket does not tell its region to this role (s3:ListBucket)")
    own = s3.meta.region_name
    if region != own:
        return warning(
            f"is in {region}, the region of the commands is {own}",
            f"Set AWS_REGION to {region}, or {variables} to a bucket in {own}: Athena and transfer "
            "between regions are slow and cost.",
        )
    return ok(f"in {region}, for {variables}")


def _lifecycle(
    prefixes: Callable[[], Mapping[str, Prefix]], bucket: str, kept: Iterable[str]
) -> Outcome:
    """Look for a rule that takes objects of the lake or of the tables away."""
    try:
        with asking(f"s3://{bucket}"):
            answer = prefixes()["lake"].s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    except SalescastError as error:
        cause = error.__cause__
        if isinstance(cause, ClientError):
            code = error_code(cause)
            if code == "NoSuchLifecycleConfiguration":
                return ok("no rule")
            if is_denied(cause):
                return not_checked(
                    "this role may not read the rules (s3:GetLifecycleConfiguration)",
                    "See in the bucket that none expires objects below "
                    f"{' or '.join(_VARIABLES[name] for name in kept)}.",
                )
        raise
    rules = answer.get("Rules", [])
    errors = [
        UserError(
            f"The rule {rule.get('ID', 'without a name')} takes objects away below the {name} "
            "prefix.",
            where=prefixes()[name].uri,
            fix="Delete the rule, or give it a prefix beside this one, such as the one of "
            "SALESCAST_ATHENA_STAGING or SALESCAST_ATHENA_TEMP.",
        )
        for name in kept
        for rule in rules
        if _takes_away(rule) and _reaches(rule, f"{prefixes()[name].key}/")
    ]
    return failed_with(*errors) if errors else ok(f"{len(rules)} rules, none for what is kept")


def _takes_away(rule: Mapping[str, Any]) -> bool:
    expires = {"Days", "Date"} & set(rule.get("Expiration", {}))
    archived = {each.get("StorageClass") for each in rule.get("Transitions", [])} & _ARCHIVES
    return rule["Status"] == "Enabled" and bool(expires or archived)


def _reaches(rule: Mapping[str, Any], key: str) -> bool:
    """Whether a rule is for objects whose key begins like this; ours have no tags."""
    chosen = rule.get("Filter", {})
    chosen = chosen.get("And", chosen)
    if "Tag" in chosen or "Tags" in chosen:
        return False
    start = str(chosen.get("Prefix", rule.get("Prefix", "")))
    return key.startswith(start) or start.startswith(key)


def _rights(prefixes: Callable[[], Mapping[str, Prefix]], name: str) -> Outcome:
    """Do with a probe what the commands do with their files."""
    prefix = prefixes()[name]
    probe = f"{PROBE}{secrets.token_hex(8)}"
    where = f"{prefix.uri}/* ({_VARIABLES[name]})"
    done: list[str] = []
    errors: list[SalescastError] = []
    etags: list[str] = []

    def step(label: str, act: Callable[[], object]) -> None:
        try:
            with asking(where):
                act()
        except SalescastError as error:
            errors.append(error)
        else:
            done.append(label)

    # Each is tried whatever became of the one before, so that all missing rights are told at once.
    step("list", lambda: prefix.sizes(probe))
    try:
        step("put", lambda: etags.append(prefix.write(probe, _BODY)))
        step("get", lambda: _read_back(prefix, probe, is_there=bool(etags)))
        if name == "lake" and etags:
            step("conditional put", lambda: _write_on_condition(prefix, probe, etags[0]))
    finally:
        step("delete", lambda: _delete(prefix, probe))
    if etags and "delete" not in done:
        errors.append(
            RunError(
                "The probe is still there.",
                where=f"{prefix.uri}/{probe}",
                fix=f"Delete {prefix.uri}/{probe} by hand.",
            )
        )
    if errors:
        return failed_with(*errors)
    with_key = " with the key of SALESCAST_KMS_KEY_ID" if prefix.kms_key_id else ""
    return ok(f"{prefix.uri}: {', '.join(done)}{with_key}")


def _delete(prefix: Prefix, name: str) -> None:
    prefix.s3.delete_object(Bucket=prefix.bucket, Key=f"{prefix.key}/{name}")


def _read_back(prefix: Prefix, name: str, *, is_there: bool) -> None:
    held = prefix.read(name)
    if is_there and (held is None or held.body != _BODY):
        raise RunError(
            "What was put is not what was read.",
            where=f"{prefix.uri}/{name}",
            fix="Give the prefix a store that shows an object as soon as it was put.",
        )


def _write_on_condition(prefix: Prefix, name: str, etag: str) -> None:
    """See that the store refuses what the lock relies on to be refused."""
    for version in (None, _OTHER_VERSION):
        try:
            prefix.write(name, _BODY, over=version)
        except Taken:
            continue
        condition = "If-Match" if version else "If-None-Match"
        raise RunError(
            f"A put with {condition} was taken that had to be refused.",
            where=prefix.uri,
            fix="Put the lake in a store that honours conditional puts, as S3 does: without them "
            "two commands can hold the lock of the lake.",
        )
    prefix.write(name, _BODY, over=etag)


def _lock(prefixes: Callable[[], Mapping[str, Prefix]]) -> Outcome:
    """Tell who holds the lock of the lake."""
    lake = prefixes()["lake"]
    with asking(f"{lake.uri}/{LOCK}"):
        held = lake.read(LOCK)
    if held is None:
        return ok("free")
    try:
        holder = json.loads(held.body)
        command, pid, host, since = (holder[key] for key in ("command", "pid", "host", "since"))
    except (ValueError, KeyError, TypeError):
        return failed(
            f"{lake.uri}/{LOCK} is not a lock of salescast",
            "Find out who wrote it, then delete it.",
        )
    told = f"{command} (process {pid} on {host}, since {since} UTC)"
    age = f"its last sign of life was {held.age_seconds:,.0f} s ago"
    if held.age_seconds >= STALE_SECONDS:
        return warning(
            f"stale: left by {told}, {age}",
            "The next command takes it over; a batch that died goes on with `salescast run "
            f"--resume` on {host}.",
        )
    return warning(
        f"{told} is at work, {age}",
        "Wait until it has ended. If it died, a command in its home goes on at once, any other "
        f"{STALE_SECONDS / 60:.0f} minutes after that sign, or with --take-lock.",
    )
