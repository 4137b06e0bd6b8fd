#!/usr/bin/env bash
# The API's registration in Entra, from infra/services.json: scopes, application roles, audience. Run again, it changes
# what has changed. Needs az (logged in as who may register applications) and python3; no client secret is made.
#
#   infra/entra.sh body                  what is asked of Microsoft Graph
#   infra/entra.sh application           make or change it; prints its client id: API_AUDIENCE
#   infra/entra.sh gateway PRINCIPAL_ID  give the gateway's identity the role gateway
set -euo pipefail
cd "$(dirname "$0")/.."

GRAPH=https://graph.microsoft.com/v1.0
UNIQUE_NAME=${ENTRA_UNIQUE_NAME:-durable-commerce}

body() {
  python3 - <<'PYTHON'
import json
from uuid import NAMESPACE_URL, uuid5

entra = json.load(open("infra/services.json", encoding="utf-8"))["entra"]


def named(kind, entry, **more):
    """Ids follow from names, so that the same name is the same thing in the next run."""
    identity = str(uuid5(NAMESPACE_URL, f"urn:durable-commerce:{kind}:{entry['name']}"))
    return {"id": identity, "value": entry["name"], "isEnabled": True, **more}


roles = [
    named(
        "role",
        entry,
        displayName=entry["name"],
        description=entry["meaning"],
        allowedMemberTypes=["Application"] if entry["name"] == "gateway" else ["User", "Application"],
    )
    for entry in entra["roles"]
]
# an application that acts as itself has its permissions as roles of the scopes' names
permissions = [
    named(
        "permission",
        entry,
        displayName=entry["name"],
        description=entry["meaning"],
        allowedMemberTypes=["Application"],
    )
    for entry in entra["scopes"]
]
scopes = [
    named(
        "scope",
        entry,
        type="User",
        adminConsentDisplayName=entry["meaning"],
        adminConsentDescription=entry["meaning"],
        userConsentDisplayName=entry["meaning"],
        userConsentDescription=entry["meaning"],
    )
    for entry in entra["scopes"]
]
application = {
    "displayName": "Durable Commerce",
    "signInAudience": "AzureADMyOrg",
    "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": scopes},
    "appRoles": roles + permissions,
}
print(json.dumps(application, indent=2))
PYTHON
}

upsert() { # path, body
  az rest --method patch --url "$GRAPH/$1" --body "$2" --headers 'Content-Type=application/json' 'Prefer=create-if-missing' --output none
}

application() {
  upsert "applications(uniqueName='$UNIQUE_NAME')" "$(body)"
  local client
  client=$(az rest --method get --url "$GRAPH/applications(uniqueName='$UNIQUE_NAME')?\$select=appId" --query appId --output tsv)
  upsert "applications(uniqueName='$UNIQUE_NAME')" "{\"identifierUris\": [\"api://$client\"]}"
  # callers need to be assigned a role before they get a token
  upsert "servicePrincipals(appId='$client')" '{"appRoleAssignmentRequired": true}'
  echo "$client"
}

gateway() { # principal id of the gateway
  local client role resource given
  client=$(az rest --method get --url "$GRAPH/applications(uniqueName='$UNIQUE_NAME')?\$select=appId" --query appId --output tsv)
  resource=$(az rest --method get --url "$GRAPH/servicePrincipals(appId='$client')?\$select=id" --query id --output tsv)
  role=$(body | python3 -c 'import json, sys; print(next(r["id"] for r in json.load(sys.stdin)["appRoles"] if r["value"] == "gateway"))')
  given=$(az rest --method get --url "$GRAPH/servicePrincipals/$1/appRoleAssignments" --query "value[?appRoleId=='$role'].id" --output tsv)
  if [ -z "$given" ]; then
    az rest --method post --url "$GRAPH/servicePrincipals/$1/appRoleAssignments" --headers 'Content-Type=application/json' --output none \
      --body "{\"principalId\": \"$1\", \"resourceId\": \"$resource\", \"appRoleId\": \"$role\"}"
  fi
}

case "${1:-}" in
  body) body ;;
  application) application ;;
  gateway) gateway "${2:?the principal id of the gateway, output GATEWAY_PRINCIPAL_ID of the deployment}" ;;
  *) sed -n '2,7p' "$0" >&2; exit 2 ;;
esac
