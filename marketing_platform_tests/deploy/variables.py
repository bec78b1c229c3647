"""Every variable that some settings model reads."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from pydantic_settings import BaseSettings

from dashboard import settings as of_dashboard
from marketing_platform import access, encoders, settings, stores


def known() -> set[str]:
    """Names of environment variables, of all settings models there are."""
    names = [
        f"{package.__name__}.{module.name}"
        for package in (access, stores, encoders)
        for module in pkgutil.iter_modules(package.__path__)
        if module.name.endswith("settings")
    ]
    modules = [settings, of_dashboard, *map(importlib.import_module, names)]
    return {name for module in modules for name in _of(vars(module).values())}


def _of(values: object) -> Iterator[str]:
    for kind in values:  # pyright: ignore[reportGeneralTypeIssues]
        if isinstance(kind, type) and issubclass(kind, BaseSettings):
            prefix = kind.model_config.get("env_prefix", "")
            for name, field in kind.model_fields.items():
                alias = field.validation_alias
                yield alias if isinstance(alias, str) else f"{prefix}{name}".upper()
