"use strict";

// Swagger UI has a dark style, but leaves it to the page to ask for it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setTheme);
setTheme();

SwaggerUIBundle({
  url: "openapi.json", // relative to the page, so that a proxy may serve both under a path of its own
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  validatorUrl: null, // the default shows the document to another host
});
