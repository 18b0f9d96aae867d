"""What tests say about answers."""

from typing import Any

import httpx2


def code(response: httpx2.Response) -> tuple[int, str]:
    """Status and stable word of a refusal, which has to be problem details in every respect."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:mutoscope:problem:{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert response.headers["cache-control"] == "private, no-store"
    return response.status_code, problem["code"]


def fields(response: httpx2.Response) -> set[str]:
    """Which fields a refusal names."""
    return set(response.json().get("fields", {}))
