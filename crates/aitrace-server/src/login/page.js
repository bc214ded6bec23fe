"use strict";

const told = document.querySelector("output");
const code = location.hash.startsWith("#code=") ? location.hash.slice("#code=".length) : null;
if (code) history.replaceState(null, "", location.pathname + location.search);

// Where the way to the login began: a page of this server, or none.
function target() {
  const url = new URL(new URLSearchParams(location.search).get("to") || "/", location.origin);
  if (url.origin !== location.origin) return location.origin;
  url.hash = location.hash;
  return url.href;
}

async function enter(credential) {
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch("/login", { method: "POST", headers, body: JSON.stringify(credential) });
    if (answer.ok) return location.replace(target());
    told.textContent = (await answer.json()).error.message;
  } catch {
    told.textContent = "the server does not answer";
  }
}

document.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter({ key: document.querySelector("input").value.trim() });
});

if (code) {
  enter({ code });
} else {
  // A link from another site comes without the cookie: one that is there already is enough.
  fetch("/api/me").then((answer) => answer.ok && location.replace(target()), () => {});
}
