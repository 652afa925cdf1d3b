"""The page that browsers get."""

from __future__ import annotations

import re
from pathlib import Path

from app.asgi.graphql import GraphQLSettings
from tests.asgi.conftest import JSON, Client, client_for, make_app
from tests.asgi.toy_schema import ToyContexts
from tests.asgi.under_a_path import under_a_path
from tests.support.browser import browser_page

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


async def test_a_browser_gets_a_page_and_a_program_does_not(client: Client) -> None:
    page = await client.get(accept=BROWSER)
    assert page.headers["content-type"].startswith("text/html")
    assert '<html lang="en">' in page.text
    answer = await client.get(query="{ hello }", accept="*/*")
    assert answer.headers["content-type"].startswith(JSON)


async def test_without_its_bundle_the_page_says_so_and_offers_a_form(client: Client) -> None:
    page = await client.get(accept=BROWSER)
    assert "GraphiQL is not built on this server" in page.text
    assert "<textarea" in page.text


async def test_the_form_runs_only_the_script_with_this_answers_nonce(client: Client) -> None:
    first, second = await client.get(accept=BROWSER), await client.get(accept=BROWSER)
    nonces = set(re.findall(r'nonce="([^"]+)"', first.text))
    assert len(nonces) == 1
    assert f"script-src 'nonce-{nonces.pop()}';" in first.headers["content-security-policy"]
    assert first.headers["content-security-policy"] != second.headers["content-security-policy"]


async def test_with_its_bundle_the_page_loads_graphiql_from_our_own_host(tmp_path: Path) -> None:
    (tmp_path / "explorer.js").write_text("export {}")
    async with client_for(GraphQLSettings(explorer_assets=tmp_path)) as client:
        page = await client.get(accept=BROWSER)
        assert re.findall(r'(?:src|href)="([^"]+)"', page.text) == [
            "data:,",
            "graphiql/explorer.css",
            "graphiql/explorer.js",
        ]
        assert "script-src 'self';" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert (await client.http.get("/graphiql/explorer.js")).status_code == 200
        assert (await client.http.get("/graphiql/../conftest.py")).status_code == 404


async def test_a_bundle_built_later_is_found_without_a_restart(tmp_path: Path) -> None:
    assets = tmp_path / "dist"
    async with client_for(GraphQLSettings(explorer_assets=assets)) as client:
        assert "<textarea" in (await client.get(accept=BROWSER)).text
        assert (await client.http.get("/graphiql/explorer.js")).status_code == 404
        assets.mkdir()
        (assets / "explorer.js").write_text("export {}")
        assert "<textarea" not in (await client.get(accept=BROWSER)).text
        assert (await client.http.get("/graphiql/explorer.js")).status_code == 200


async def test_the_page_finds_its_bundle_and_the_endpoint_under_a_path_of_a_proxys_too(tmp_path: Path) -> None:
    (tmp_path / "explorer.css").write_text("")
    (tmp_path / "explorer.js").write_text(
        """const root = document.getElementById("explorer");
        const url = new URL(root.dataset.endpoint, location.href);
        fetch(url + "?query={hello}").then(answer => answer.text()).then(text => root.textContent = text);"""
    )
    app = make_app(ToyContexts(), GraphQLSettings(explorer_assets=tmp_path))
    async with under_a_path(app, "/billing") as url, browser_page() as page:
        await page.open(f"{url}/graphql")
        await page.shows('"hello":')


async def test_the_plain_form_finds_the_endpoint_under_a_path_of_a_proxys_too() -> None:
    app = make_app(ToyContexts(), GraphQLSettings())
    async with under_a_path(app, "/billing") as url, browser_page() as page:
        await page.open(f"{url}/graphql")
        await page.shows("GraphiQL is not built")
        await page.fill("query", "{ hello }")
        await page.click("Send")
        await page.shows('"hello":')
