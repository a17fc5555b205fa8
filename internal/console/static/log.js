// Shows new lines of the log while the page is open.
"use strict";
(() => {
  const lines = document.querySelector("#lines");
  const pause = document.querySelector("#pause");
  const problem = document.querySelector("#stream-problem");
  const away = document.querySelector("#stream-away");
  const busy = document.querySelector("#stream-busy");
  let source;

  // The server escapes the rows, as it does those of the page.
  const start = () => {
    source = new EventSource(lines.dataset.stream);
    source.addEventListener("tail", (event) => { lines.innerHTML = event.data; });
    source.addEventListener("lines", (event) => {
      lines.insertAdjacentHTML("beforeend", event.data);
      while (lines.children.length > Number(lines.dataset.most)) lines.firstElementChild.remove();
    });
    source.addEventListener("end", () => { source.close(); location.reload(); });
    source.addEventListener("busy", () => { source.close(); busy.hidden = false; });
    source.addEventListener("open", () => { problem.hidden = busy.hidden = away.hidden = true; });
    source.addEventListener("error", () => {
      problem.hidden = source.readyState !== EventSource.CLOSED;
      away.hidden = source.readyState !== EventSource.CONNECTING; // the browser tries again
    });
  };

  pause.hidden = false;
  pause.addEventListener("click", () => {
    const paused = pause.getAttribute("aria-pressed") !== "true";
    pause.setAttribute("aria-pressed", String(paused));
    if (paused) source.close();
    else start();
  });
  start();
})();
