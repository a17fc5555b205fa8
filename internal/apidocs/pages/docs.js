"use strict";

// Swagger UI has a dark style, but leaves it to the page to ask for it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setTheme);
setTheme();

// A document without servers stands for the root of its host. Behind a proxy the API may be deeper: where this page is.
const server = new URL(".", location.href).href.replace(/\/$/, "");
const ServerPlugin = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update({ servers: [{ url: server }], ...spec }) } },
  },
});

SwaggerUIBundle({
  url: "openapi.json", // relative to the page, so that a proxy may serve both under a path of its own
  dom_id: "#swagger-ui",
  plugins: [ServerPlugin],
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  validatorUrl: null, // the default shows the document to another host
});
