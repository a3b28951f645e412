"""Athena's SQL: tells the statements apart, refuses what Athena refuses, carries out the rest."""

from local_aws.gateway.sql.statements import execute

__all__ = ["execute"]
