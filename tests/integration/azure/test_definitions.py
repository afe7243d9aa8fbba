"""Definitions in a container. The tests come from those of the folder; only the store is another."""

from __future__ import annotations

import pytest

from tests.unit.storage.test_definitions import (
    definitions,
    test_a_definition_is_found_by_its_digest,
    test_a_put_that_was_cut_off_before_the_index_is_completed_by_the_next,
    test_an_altered_definition_is_found,
    test_many_at_once_are_all_listed,
    test_only_the_index_of_its_own_shard_changes,
    test_putting_it_again_changes_nothing,
)

pytestmark = [pytest.mark.integration, pytest.mark.azurite]

__all__ = [
    "definitions",
    "test_a_definition_is_found_by_its_digest",
    "test_a_put_that_was_cut_off_before_the_index_is_completed_by_the_next",
    "test_an_altered_definition_is_found",
    "test_many_at_once_are_all_listed",
    "test_only_the_index_of_its_own_shard_changes",
    "test_putting_it_again_changes_nothing",
]
