"""The settings that turn providers on: their keys, and other servers than their own to ask."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

INHERITED = {
    "STABILITY_API_KEY", "STABILITY_API_BASE", "FAL_KEY", "REPLICATE_API_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL",
}  # fmt: skip
"""Names that other programs use too, and that people have set already."""
KEYS = {
    "stability_api_base": "stability_api_key",
    "fal_base": "fal_key",
    "replicate_base": "replicate_api_token",
    "openai_base_url": "openai_api_key",
    "video_server_keys": "video_servers",
}
"""What is nothing without another setting."""
_NAME = r"[a-z0-9][a-z0-9-]{0,30}"


def _endpoint(text: str) -> str:
    if not re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?", text):
        raise ValueError("must be an address such as https://api.example.org or http://10.0.0.5:8000/v1")
    return text.rstrip("/")


def named(text: str) -> dict[str, str]:
    """``name=value`` pairs with commas between. Raises ValueError."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value.strip() or not re.fullmatch(_NAME, name.strip()) or name.strip() in pairs:
            raise ValueError("must be pairs with commas between, such as gpu1=..., each name once, in small letters")
        pairs[name.strip()] = value.strip()
    return pairs


def _named_endpoints(text: str) -> str:
    return ",".join(f"{name}={_endpoint(address)}" for name, address in named(text).items())


def _named_secrets(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None:
        named(secret.get_secret_value())
    return secret


def _endpoints(text: str) -> str:
    return ",".join(_endpoint(part.strip()) for part in text.split(",") if part.strip())


def jobs_by_provider(settings: "ProviderSettings") -> dict[str, int]:
    """How many jobs may be at a provider at once, by its name, where the operator has said so."""
    pairs = (part.split("=") for part in settings.provider_jobs.split(",") if part.strip())
    return {name.strip(): int(jobs) for name, jobs in pairs}


def _jobs(text: str) -> str:
    for jobs in named(text.replace("/", "-")).values():
        if not re.fullmatch(r"[1-9][0-9]{0,3}", jobs):
            raise ValueError("must be numbers from 1 to 9999 by provider, such as fal=20,stability=8")
    return text


class ProviderSettings(BaseSettings):
    """Part of `settings.Settings`."""

    stability_api_key: SecretStr | None = Field(None, description="The key for Stability AI; turns that provider on.")
    stability_api_base: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None,
        description="Another server that speaks Stability AI's interface; films from a picture, which Stability AI ended on 2025-07-24, live only there.",
    )
    fal_key: SecretStr | None = Field(None, description="The key for fal; turns that provider on.")
    fal_base: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None, description="Another server that speaks the interface of fal's queue."
    )
    replicate_api_token: SecretStr | None = Field(None, description="The token for Replicate; turns that provider on.")
    replicate_base: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None, description="Another server that speaks Replicate's interface."
    )
    openai_api_key: SecretStr | None = Field(None, description="The key for OpenAI's images; turns that provider on.")
    openai_base_url: Annotated[str, AfterValidator(_endpoint)] | None = Field(
        None, description="Another server that speaks OpenAI's images interface, with its path, such as `/v1`."
    )
    video_servers: Annotated[str, AfterValidator(_named_endpoints)] = Field(
        "",
        description="Servers that speak OpenAI's videos interface (vLLM-Omni, SGLang Diffusion, LiteLLM's proxy), by a name of your own, such as `gpu1=http://10.0.0.5:8000/v1`, with commas between; each is the provider `videos/gpu1`.",
    )
    video_server_keys: Annotated[SecretStr | None, AfterValidator(_named_secrets)] = Field(
        None, description="Their keys, where they want one: `gpu1=...`, with commas between."
    )
    comfyui_servers: Annotated[str, AfterValidator(_endpoints)] = Field(
        "",
        description="ComfyUI servers that share the work, such as `http://10.0.0.6:8188`, with commas between; turns that provider on.",
    )
    provider_jobs: Annotated[str, AfterValidator(_jobs)] = Field(
        "",
        description="How many jobs may be at a provider at once, where it is not what its page says: `fal=20,stability=8`.",
    )
