"use strict";
// Where the issuer sends the browser back to: it hands what came to the page that waits for it.
(function () {
  const given = new URLSearchParams(window.location.search);
  if (!window.opener) {
    document.querySelector("p").textContent = "This page belongs to a sign-in that is no longer open.";
    return;
  }
  const error = given.get("error_description") || given.get("error");
  window.opener.postMessage({ code: given.get("code"), state: given.get("state"), error }, window.location.origin);
  window.close();
})();
