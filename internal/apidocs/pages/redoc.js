import { init } from "./redoc.standalone.js";

init(
  "openapi.json", // relative to the page, so that a proxy may serve both under a path of its own
  {
    disableTelemetry: true, // the committed bundle has nowhere to send it either
    scrollYOffset: () => document.querySelector("nav").offsetHeight, // what our own bar covers
  },
  document.getElementById("redoc"),
);
