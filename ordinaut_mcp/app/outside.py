"""What the settings say about the world outside: where requests may go, and which model answers."""

from __future__ import annotations

from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.address import Allowance
from ordinaut_mcp.ports import LanguageModel
from ordinaut_mcp.runtime.steps.llm import FakeModel
from ordinaut_mcp.web.anthropic_model import AnthropicDialect
from ordinaut_mcp.web.model import ModelSettings, ProviderModel
from ordinaut_mcp.web.openai_model import OpenAIDialect


def allowance_of(settings: Settings) -> Allowance:
    """What the operator has opened besides the public Internet.

    Raises:
        InvalidInput: invalid_config, naming the entry.
    """
    return Allowance.parse(settings.http_allow)


def model_of(settings: Settings) -> LanguageModel | None:
    """The configured model; None where there is none."""
    match settings.llm_provider:
        case "none":
            return None
        case "fake":
            return FakeModel()
        case "openai":
            dialect = OpenAIDialect()
        case "anthropic":
            dialect = AnthropicDialect()
    key = settings.llm_api_key
    chosen = ModelSettings(
        model=settings.llm_model,
        api_key=key.get_secret_value() if key else None,
        base_url=settings.llm_base_url,
        max_tokens=settings.llm_max_tokens,
        input_price=settings.llm_input_price,
        output_price=settings.llm_output_price,
    )
    return ProviderModel(dialect, chosen)
