// What pages do in addition if the browser runs scripts.
"use strict";

// A form with data-guard asks before the page is left with unsaved changes, also
// by another form of the page.
const changed = new Set();
for (const form of document.querySelectorAll("form[data-guard]")) {
  if (form.dataset.guard === "changed") changed.add(form);
  form.addEventListener("input", () => changed.add(form));
  form.addEventListener("submit", () => changed.delete(form));
}
addEventListener("beforeunload", (event) => {
  if (changed.size > 0) event.preventDefault();
});

// What has been done is shown once, and not again when the page is reloaded.
const shown = new URL(location.href);
if (shown.searchParams.has("done")) {
  shown.searchParams.delete("done");
  history.replaceState(history.state, "", shown);
}

// An element with data-count has the number of characters of a field.
for (const count of document.querySelectorAll("[data-count]")) {
  const field = document.getElementById(count.dataset.count);
  field.addEventListener("input", () => { count.textContent = [...field.value].length; });
}

// The difference to what is stored is asked for only while it is open. A problem
// is shown in its place.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.closest("details:not([open])")) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.closest(".changes")) event.detail.shouldSwap = true;
});
