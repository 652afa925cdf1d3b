// Monaco, the editor inside GraphiQL, runs its languages in workers; each is a bundle of its own beside this one.
const BUNDLES = { json: "json.worker.js", graphql: "graphql.worker.js" };

globalThis.MonacoEnvironment = {
  getWorker: (_id, label) =>
    new Worker(new URL(BUNDLES[label] ?? "editor.worker.js", import.meta.url), { type: "module" }),
};
