"""What every implementation of `Reports` does. A new one adds a class of three lines at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketing_platform.errors import UnknownName
from marketing_platform.stores.protocols import Reports
from marketing_platform.stores.reports_folder import FolderReports
from marketing_platform_tests.servers.shared import WITH_SERVERS, shared
from marketing_platform_tests.stores.processes import in_another_process

NAME = "analytics_report_3f9ac21b"
DOCUMENT = {"title": "Größe 'x'", "rows": [{"n": 1, "share": 0.5, "none": None}], "empty": {}}


def read(reports: Reports, name: str) -> object:
    return reports.read(name)


class ReportsContract:
    """The behaviour; `reports` is a fixture of the class that names an implementation."""

    @pytest.mark.slow
    def test_what_is_written_is_read(self, reports: Reports) -> None:
        reports.write(NAME, DOCUMENT)
        assert reports.read(NAME) == DOCUMENT
        assert in_another_process(read, reports, NAME) == DOCUMENT

    def test_it_says_where_a_report_lies(self, reports: Reports) -> None:
        assert reports.write(NAME, DOCUMENT).endswith(f"/{NAME}.json")

    def test_writing_again_replaces_the_whole(self, reports: Reports) -> None:
        reports.write(NAME, DOCUMENT)
        reports.write(NAME, {"other": True})
        assert reports.read(NAME) == {"other": True}

    def test_names_come_and_go(self, reports: Reports) -> None:
        assert reports.names() == []
        for name in (NAME, "a_1"):
            reports.write(name, DOCUMENT)
        assert reports.names() == ["a_1", NAME]
        reports.drop("a_1")
        reports.drop("a_1")
        assert reports.names() == [NAME]

    def test_a_missing_name_is_said(self, reports: Reports) -> None:
        with pytest.raises(UnknownName, match="never_written"):
            reports.read("never_written")

    def test_what_cannot_be_written_leaves_what_was_there(self, reports: Reports) -> None:
        reports.write(NAME, DOCUMENT)
        with pytest.raises(TypeError):
            reports.write(NAME, {"not JSON": object()})
        assert reports.read(NAME) == DOCUMENT


class TestFolder(ReportsContract):
    @pytest.fixture
    def reports(self, tmp_path: Path) -> Reports:
        return FolderReports(tmp_path / "reports")


if WITH_SERVERS:

    class TestGcs(ReportsContract):
        @pytest.fixture
        def reports(self) -> Reports:
            from marketing_platform.stores.reports_gcs import GcsReports
            from marketing_platform_tests.servers import gcs

            return GcsReports(gcs.settings(shared(gcs.running)))
