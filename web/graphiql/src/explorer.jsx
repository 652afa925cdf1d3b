import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createRoot } from "react-dom/client";

import "graphiql/style.css";
import "./page.css";
import "./workers.js";

const WELCOME = `# Ask for exactly the fields a screen needs.
# Ctrl-Enter (or ⌘-Enter) runs; Ctrl-Space suggests.
#
# Your session cookie is sent along. To use a token,
# open "Headers" below and write
#   { "authorization": "Bearer …" }
# It counts for live updates too.

query Welcome {
  catalog {
    name
    currency
  }
  viewer {
    displayName
  }
}
`;

const root = document.getElementById("explorer");
const url = new URL(root.dataset.endpoint, window.location.href).href;

/** The token of the "Headers" pane: a browser can't set headers on a WebSocket, so it travels in the init payload. */
let authorization;

const socket = createClient({
  url: url.replace(/^http/, "ws"),
  connectionParams: () => (authorization ? { authorization } : {}),
  // wrong credentials are told at once; whatever else ended the connection may be over the next time
  shouldRetry: (closed) => closed.code !== 4403,
});
const send = createGraphiQLFetcher({ url, wsClient: socket, enableIncrementalDelivery: false });

function fetcher(parameters, options) {
  const headers = Object.entries(options?.headers ?? {});
  authorization = headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
  return send(parameters, options);
}

createRoot(root).render(<GraphiQL fetcher={fetcher} defaultQuery={WELCOME} />);
