"""Drafting a mapping: looking at files, and writing what describes them."""

from salescast.mapping_draft.command import Draft, draft_mapping

__all__ = ["Draft", "draft_mapping"]
