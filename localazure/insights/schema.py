"""The tables of Application Insights: their columns and Kusto types, and how DuckDB keeps them.

Source: "Workspace-based resource changes", legacy table schemas, in Azure Monitor's documentation: `requests`,
`dependencies`, `traces`, `exceptions`, `customMetrics` and `customEvents`.
"""

from __future__ import annotations

from collections.abc import Mapping

STORED = {"string": "VARCHAR", "datetime": "TIMESTAMP", "real": "DOUBLE", "int": "INTEGER", "dynamic": "JSON"}
"""Kusto type → DuckDB type. A datetime is UTC without saying so."""
SEQUENCE = "_sequence"
"""The place of an item among all that were ever taken; no query sees it."""
SUBJECT = "_subject"
"""What an item is about: the value of the custom dimension that is searched by; no query sees it."""
HIDDEN = {SEQUENCE: "BIGINT", SUBJECT: "VARCHAR"}
"""Columns of every table that only this part reads → their DuckDB types."""

_CONTEXT = (
    "operation_Name operation_Id operation_ParentId operation_SyntheticSource session_Id user_Id user_AuthenticatedId "
    "user_AccountId application_Version client_Type client_Model client_OS client_IP client_City "
    "client_StateOrProvince client_CountryOrRegion client_Browser cloud_RoleName cloud_RoleInstance appId appName "
    "iKey sdkVersion itemId"
).split()


def _columns(own: str, *, measurements: bool = True, count: bool = True) -> Mapping[str, str]:
    """`own`: name:type pairs. What all tables share follows in the order of the service."""
    columns = {"timestamp": "datetime"} | dict(pair.split(":") for pair in own.split())
    columns |= {"itemType": "string", "customDimensions": "dynamic"}
    columns |= {"customMeasurements": "dynamic"} if measurements else {}
    columns |= dict.fromkeys(_CONTEXT, "string")
    columns |= {"itemCount": "int"} if count else {}
    return columns | {"_ResourceId": "string"}


TABLES: Mapping[str, Mapping[str, str]] = {
    "requests": _columns(
        "id:string source:string name:string url:string success:string resultCode:string duration:real "
        "performanceBucket:string"
    ),
    "dependencies": _columns(
        "id:string target:string type:string name:string data:string success:string resultCode:string duration:real "
        "performanceBucket:string"
    ),
    "traces": _columns("message:string severityLevel:int"),
    "exceptions": _columns(
        "problemId:string handledAt:string type:string message:string assembly:string method:string outerType:string "
        "outerMessage:string outerAssembly:string outerMethod:string innermostType:string innermostMessage:string "
        "innermostAssembly:string innermostMethod:string severityLevel:int details:dynamic"
    ),
    "customMetrics": _columns(
        "name:string value:real valueCount:int valueSum:real valueMin:real valueMax:real valueStdDev:real",
        measurements=False,
        count=False,
    ),
    "customEvents": _columns("name:string"),
}
"""Table → column → Kusto type."""


def definitions(schema: str) -> str:
    """The statements that make the tables where there are none."""
    tables = []
    for table, columns in TABLES.items():
        kinds = {name: STORED[kind] for name, kind in columns.items()} | HIDDEN
        listed = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
        tables.append(f'CREATE TABLE IF NOT EXISTS {schema}."{table}" ({listed});')
    return "\n".join(tables)
