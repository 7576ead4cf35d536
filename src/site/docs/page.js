// Shows /openapi.json with Swagger UI. Nothing is fetched from elsewhere, and nothing is stored: the token is in the memory of this page.

const scheme = "bearerToken";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
followScheme();
dark.addEventListener("change", followScheme);

const ui = window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  // Addresses of single operations.
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  filter: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  // The settings of the page cannot be changed by its address, and no validator elsewhere is asked.
  queryConfigEnabled: false,
  validatorUrl: null,
  persistAuthorization: false,
  onComplete: () => document.documentElement.setAttribute("data-ready", ""),
});

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
