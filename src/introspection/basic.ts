export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

const basic = /^basic(?: +([A-Za-z0-9+/]+={0,2}))? *$/i;

/**
 * Reads `Authorization: Basic` as sent by OAuth clients: user and password are form-encoded (RFC 6749, section 2.3.1). Returns undefined
 * for another scheme, and null if the credentials cannot be read.
 */
export function basicCredentialsOf(authorization: string | undefined): BasicCredentials | null | undefined {
  if (authorization === undefined || !/^basic(?: |$)/i.test(authorization)) return undefined;
  const text = Buffer.from(basic.exec(authorization)?.[1] ?? "", "base64").toString();
  const colon = text.indexOf(":");
  if (colon === -1) return null;
  try {
    // A plus sign is kept: tokens may contain one, clients that do not encode send it unchanged, and none of our texts contains a space.
    return { user: decodeURIComponent(text.slice(0, colon)), password: decodeURIComponent(text.slice(colon + 1)) };
  } catch {
    return null;
  }
}
