import { init } from "./redoc.standalone.js";

init(
  "openapi.json", // relative to the page, so that a proxy can serve both below another path
  {
    disableTelemetry: true, // the committed bundle also has no address to send it to
    scrollYOffset: () => document.querySelector("nav").offsetHeight, // the height of our own bar
  },
  document.getElementById("redoc"),
);
