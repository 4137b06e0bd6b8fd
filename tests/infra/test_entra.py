"""The registration in Entra has the scopes and roles that are declared; run again, it is the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from scripts import declared
from shared.declaration import ROLES
from tests.infra.compiler import INFRA

SCRIPT = INFRA / "entra.sh"
SCOPES = [scope.name for service in declared.services() for scope in service.scopes]
AZ = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$AZ_LOG"
case "$*" in
  *"--query appId"*) echo client-id ;;
  *"--query id"*) echo resource-id ;;
  *"--query value"*) cat "$AZ_GIVEN" ;;
esac
"""
"""Notes what it is asked, and knows a registration."""


def body() -> dict[str, Any]:
    answer = subprocess.run([SCRIPT, "body"], capture_output=True, text=True, timeout=60, check=True)
    return dict(json.loads(answer.stdout))


def run(folder: Path, *arguments: str, given: str = "") -> tuple[str, str]:
    """What the script prints, and what it asks of az."""
    (folder / "az").write_text(AZ, encoding="utf-8")
    (folder / "az").chmod(0o700)
    (folder / "given").write_text(given, encoding="utf-8")
    log = folder / "log"
    log.write_text("", encoding="utf-8")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "AZ_LOG": str(log), "AZ_GIVEN": str(folder / "given")}
    answer = subprocess.run(
        [SCRIPT, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return answer.stdout, log.read_text(encoding="utf-8")


def test_scopes_and_roles_are_those_that_are_declared() -> None:
    application = body()
    assert [scope["value"] for scope in application["api"]["oauth2PermissionScopes"]] == SCOPES
    members = {role["value"]: role["allowedMemberTypes"] for role in application["appRoles"]}
    assert members.keys() == {*ROLES, "gateway", *SCOPES}
    assert {tuple(members[role]) for role in ROLES} == {("User", "Application")}
    assert {tuple(members[name]) for name in ("gateway", *SCOPES)} == {("Application",)}, "no person is a gateway"


def test_ids_are_one_for_each_and_the_same_every_time() -> None:
    def ids() -> list[str]:
        application = body()
        return [entry["id"] for entry in (*application["appRoles"], *application["api"]["oauth2PermissionScopes"])]

    assert len(set(ids())) == len(ids()) and ids() == ids()


def test_tokens_are_of_the_version_that_the_issuer_names_and_no_secret_is_made(tmp_path: Path) -> None:
    assert body()["api"]["requestedAccessTokenVersion"] == 2
    printed, asked = run(tmp_path, "application")
    assert printed == "client-id\n"
    assert asked.count("Prefer=create-if-missing") == 3 and '"identifierUris": ["api://client-id"]' in asked
    assert "assword" not in asked and "credential" not in asked


def test_the_gateway_gets_its_role_once(tmp_path: Path) -> None:
    _, asked = run(tmp_path, "gateway", "gateway-id")
    role = next(role["id"] for role in body()["appRoles"] if role["value"] == "gateway")
    assert f'{{"principalId": "gateway-id", "resourceId": "resource-id", "appRoleId": "{role}"}}' in asked
    _, asked = run(tmp_path, "gateway", "gateway-id", given="assignment-id")
    assert "--method post" not in asked
