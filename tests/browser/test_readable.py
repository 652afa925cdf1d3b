"""GraphiQL's page and our own can be read, seen or heard: by axe-core, where `make stock-clients` has installed it."""

from __future__ import annotations

import pytest

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import served
from tests.support.browser import Page, browser_page
from tests.support.client import eventually
from tests.support.running_backend import RunningBackend
from tests.tidy.sources import ROOT

_AXE = ROOT / "tests/stock_clients/node_modules/axe-core/axe.min.js"
_BUNDLE = ROOT / "web/graphiql/dist"
_RULES = ("color-contrast", "landmark-one-main", "link-in-text-block", "link-name", "page-has-heading-one", "region")
# the colours of the text in the editors are Monaco's own
_JUDGE = """axe.run({exclude: [[".view-lines"]]}, {runOnly: %s}).then((found) => found.violations.flatMap(
  ({id, nodes}) => nodes.map((node) => `${id}: ${node.html}: ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message}`)))"""
_DOCS = "document.querySelector('button[aria-label=\"Show Documentation Explorer\"]')"
_TYPES = "document.querySelectorAll('a.graphiql-doc-explorer-type-name').length > 10"


async def _complaints(page: Page, rules: str) -> list[str]:
    await page.run(f"{_AXE.read_text()};0")
    return await page.run(_JUDGE % rules)


@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_graphiqls_page_has_a_heading_a_main_part_and_links_that_can_be_read(colours: str) -> None:
    if not _AXE.is_file() or not (_BUNDLE / "explorer.js").is_file():
        pytest.skip("what `make stock-clients web` makes is not there")
    async with served(GraphQLSettings(explorer_assets=_BUNDLE)) as server, browser_page() as page:
        await page.resize(1280, 800)
        await page.prefer(colours)
        await page.open(server.http_url)
        await eventually(lambda: page.run(f"{_DOCS} !== null && document.querySelector('.line-numbers') !== null"))
        rules = str(list(_RULES))
        assert await _complaints(page, rules) == []
        await page.run(f"{_DOCS}.click()")
        await eventually(lambda: page.run(_TYPES))
        assert await _complaints(page, rules) == []
        assert await page.run("document.querySelector('main h1').textContent") == "Counterfoil API"


@pytest.mark.parametrize("path", ["/done", "/verify-email", "/reset-password", "/accept-invitation", "/scalars"])
async def test_a_page_of_our_own_breaks_no_rule(backend: RunningBackend, path: str) -> None:
    if not _AXE.is_file():
        pytest.skip("what `make stock-clients` installs is not there")
    async with browser_page() as page:
        for colours in ("light", "dark"):
            await page.prefer(colours)
            await page.open(f"{backend.api.url}{path}")
            await eventually(lambda: page.run("document.readyState === 'complete'"))
            await page.run(f"{_AXE.read_text()};0")
            assert await page.run(_JUDGE.replace("{runOnly: %s}", "{}")) == []
