// Shows /openapi.json with Swagger UI. Nothing is fetched from elsewhere, and nothing is stored: the token is in the memory of this page.
// Addresses are relative, because a proxy may serve Keywright below a path of its own.

const scheme = "bearerToken";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
followScheme();
dark.addEventListener("change", followScheme);

const ui = window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  // Links inside buttons confuse screen readers.
  deepLinking: false,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  filter: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  syntaxHighlight: { theme: "obsidian" },
  // The page's address cannot change its settings, and no external validator is used.
  queryConfigEnabled: false,
  validatorUrl: null,
  persistAuthorization: false,
  onComplete: () => document.documentElement.setAttribute("data-ready", ""),
});

// Swagger UI gives these no name, and its examples cannot be reached with the keyboard.
const names = [
  ["textarea.body-param__text", "Request body"],
  ["select.examples-select-element", "Example"],
  ["select.content-type", "Media type"],
  ["select", "Value"],
  [".parameters input", "Parameter"],
];
new MutationObserver(() => {
  for (const [selector, name] of names) {
    for (const element of document.querySelectorAll(`#swagger-ui ${selector}:not([aria-label])`)) element.setAttribute("aria-label", name);
  }
  for (const example of document.querySelectorAll("#swagger-ui pre:not([tabindex])")) example.setAttribute("tabindex", "0");
}).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });

const form = document.getElementById("kw-token-form");
const field = document.getElementById("kw-token");
const forget = document.getElementById("kw-token-forget");
const note = document.getElementById("kw-token-note");
const firstNote = note.textContent;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = field.value.trim();
  if (token === "") return;
  ui.preauthorizeApiKey(scheme, token);
  field.value = "";
  forget.hidden = false;
  note.textContent = "The token is set. Open an operation and choose Execute.";
});

forget.addEventListener("click", () => {
  ui.authActions.logout([scheme]);
  forget.hidden = true;
  note.textContent = firstNote;
  field.focus();
});
