"""Typed settings, read from the environment (`MARKETING_…`) when asked for, never at import.

Only what differs between installations belongs here; rules live in `sources/`,
`expectations/`, `rules/`, `features/`, `kpis/`, `experiments/`, `segments/`, `boards/`, `templates/` and
`automations/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_DIR = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Where things are and how much may be used."""

    model_config = SettingsConfigDict(env_prefix="MARKETING_", extra="ignore", frozen=True)

    profile: Literal["embedded", "servers"] = Field(
        "embedded", description="Which datastores stand behind the graph."
    )
    warehouse: Literal["postgres", "bigquery"] = Field(
        "postgres", description="Which warehouse the servers profile uses."
    )
    compute: Literal["duckdb", "spark"] = Field(
        "duckdb",
        description="What computes tables, validates, encodes and prepares to learn: this process, or Spark.",
    )
    data_dir: Path = Field(
        Path(".data"), description="Everything the embedded stores write lies below this folder."
    )
    input_dir: Path | None = Field(
        None, description="The landing folder; `landing/` in the data folder unless given."
    )
    sources_dir: Path = Field(PROJECT_DIR / "sources", description="Declared sources, one YAML file each.")
    expectations_dir: Path = Field(
        PROJECT_DIR / "expectations", description="Great Expectations suites, one per table."
    )
    rules_dir: Path = Field(
        PROJECT_DIR / "rules", description="Rules about recommendations: `recommendations.yaml`."
    )
    features_dir: Path = Field(
        PROJECT_DIR / "features", description="Declared features, a YAML file per entity."
    )
    kpis_dir: Path = Field(
        PROJECT_DIR / "kpis", description="KPIs, the workspace they hold for, and golden questions."
    )
    experiments_dir: Path = Field(
        PROJECT_DIR / "experiments", description="A/B tests, a YAML file each; metrics; the global holdout."
    )
    automations_dir: Path = Field(
        PROJECT_DIR / "automations", description="Webhooks, out and in: `webhooks.yaml`."
    )
    segments_dir: Path = Field(
        PROJECT_DIR / "segments", description="Declared segments of users, one YAML file each."
    )
    boards_dir: Path = Field(
        PROJECT_DIR / "boards", description="Vision boards: themes, aspects, words and images."
    )
    templates_dir: Path = Field(
        PROJECT_DIR / "templates", description="What is sent and looked at: `email/`, a folder per template."
    )
    chunk_rows: int = Field(
        50_000, ge=100, le=1_000_000, description="Rows handled at once while reading and checking."
    )
    max_cell_bytes: int = Field(1 << 20, ge=1 << 10, description="A longer cell goes to quarantine.")
    settle_seconds: float = Field(
        2.0, ge=0, description="A landed file is taken once it has not changed for so long."
    )
    keep_releases: int = Field(
        5, ge=1, description="How many releases `releases collect` keeps besides current and pinned."
    )
    erasure_days: int = Field(
        30,
        ge=1,
        le=365,
        description="An erased user is gone from every kept release and landed object after so many days.",
    )
    duckdb_memory: str = Field(
        "2GB", pattern=r"^\d+(\.\d+)?[MG]B$", description="Memory DuckDB may use before it spills to disk."
    )
    encoder: Literal["minilm", "gemini", "openai"] = Field(
        "minilm",
        description="What makes vectors of texts: all-MiniLM-L6-v2 in this process, Gemini, or any "
        "endpoint that speaks OpenAI's embeddings API.",
    )
    encoder_model: str | None = Field(
        None,
        min_length=1,
        description="The provider's model; `gemini-embedding-001` for Gemini unless given.",
    )
    encoder_dimensions: int | None = Field(
        None,
        ge=2,
        le=32_768,
        description="Length of a provider's vectors; 768 for Gemini, the model's own unless given.",
    )
    similar_users: int = Field(20, ge=1, le=200, description="Neighbours kept per user.")
    recommendations: int = Field(10, ge=1, le=100, description="Items kept per user.")
    tuning_seconds: float = Field(
        120.0,
        gt=0,
        le=86_400,
        description="How long the weekly tuning searches parameters, per kind of item.",
    )
    api_host: str = Field("127.0.0.1", description="Address the API listens on.")
    api_port: int = Field(8000, ge=1, le=65535, description="Port the API listens on.")
    api_workers: int = Field(1, ge=1, le=64, description="Processes that serve the API on one port.")
    api_seconds: float = Field(5.0, gt=0, description="An answer of the API that takes longer becomes a 503.")
    ui_port: int = Field(3000, ge=1, le=65535, description="Port the Dagster UI listens on.")
    dashboard_port: int = Field(8501, ge=1, le=65535, description="Port the dashboard listens on.")

    @property
    def landing_dir(self) -> Path:
        return self.input_dir or self.data_dir / "landing"

    @property
    def dagster_home(self) -> Path:
        return self.data_dir / "dagster"


def load_settings() -> Settings:
    """The settings of this process."""
    return Settings()  # pyright: ignore[reportCallIssue] -- fields come from the environment
