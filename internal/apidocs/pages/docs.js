"use strict";

// Swagger UI has a dark style, but the page must turn it on.
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setTheme);
setTheme();

// A document without servers applies to the root of its host. Behind a proxy the API may be below another path, so the
// server is the folder of this page.
const server = new URL(".", location.href).href.replace(/\/$/, "");
const ServerPlugin = () => ({
  statePlugins: {
    spec: { wrapActions: { updateJsonSpec: (update) => (spec) => update({ servers: [{ url: server }], ...spec }) } },
  },
});

SwaggerUIBundle({
  url: "openapi.json", // relative to the page, so that a proxy can serve both below another path
  dom_id: "#swagger-ui",
  plugins: [ServerPlugin],
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  validatorUrl: null, // the default sends the address of the document to another host
});
