"""The whole document: the same file, the same bytes."""

from __future__ import annotations

from syncline.generate.document import sections
from syncline.generate.document.diagram import diagram
from syncline.generate.document.markdown import prose
from syncline.generate.document.names import name_of
from syncline.spec import Integration


def document(integration: Integration, file: str | None = None) -> str:
    """What an operator has to know, in Markdown; `file` is the integration file's name, for the commands.

    Everything stands in the file already: nobody is asked, no secret is read, no clock is looked at.
    """
    file = file or f"{integration.name}.yaml"
    title = f"# API Integration — {prose(name_of(integration.source))} → {prose(name_of(integration.destination))}"
    parts = {
        "Overview": [*sections.overview(integration), "", *diagram(integration)],
        "Authentication": sections.authentication(integration),
        "Rate Limiting": sections.rate_limiting(integration),
        "Data Mapping": sections.data_mapping(integration),
        "Pagination": sections.pagination(integration),
        "Sync State & Recovery": sections.sync_state(integration, file),
        "Production Checklist": sections.checklist(integration, file),
    }
    lines = [title, ""]
    if integration.description:
        lines += [prose(integration.description), ""]
    for heading, body in parts.items():
        lines += [f"## {heading}", "", *body, ""]
    lines.append(f"Made by `syncline doc {prose(file)}`: change the file, not this page.")
    return "\n".join(lines) + "\n"
