import { shellWord } from "./shell-word.ts";

export interface StartFacts {
  readonly url: string;
  /** Null if the token was configured. */
  readonly adminTokenFile: string | null;
  readonly docs: "on" | "off";
}

/**
 * Three lines for a person who started the service on a terminal: the URLs of the service and its page, where the admin token is (never its
 * value), and a command to try first.
 */
export function firstSteps({ url, adminTokenFile, docs }: StartFacts): string {
  const reachableUrl = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
  const token = adminTokenFile === null ? "$KEYWRIGHT_ADMIN_TOKEN" : `$(cat ${shellWord(adminTokenFile)})`;
  const command = [
    `curl -sS ${reachableUrl}/v2alpha1/admin/issuedApiKeys`,
    `-H "Authorization: Bearer ${token}"`,
    "-H 'Content-Type: application/json'",
    `-d '{"name": "first", "actor_id": "me"}'`,
  ];
  return [
    `Keywright listens on ${url}${docs === "on" ? ` and shows its API on ${reachableUrl}/docs` : ""}`,
    `The admin token ${adminTokenFile === null ? "is the one in your configuration" : `is in the file ${adminTokenFile}`}`,
    `Issue a first key: ${command.join(" ")}`,
  ].join("\n");
}
