/** Explanations of system errors for the person who set a path. Other errors show their code alone. */
const meanings: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder, not a file",
  EEXIST: "a file of this name exists",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EMFILE: "too many open files",
};

/** Returns why the system refused a file or folder, in words and with the code. Never quotes the message, which may hold a path or more. */
export function systemReason(error: unknown): string {
  const code = String((error as NodeJS.ErrnoException).code ?? "unknown error");
  return code in meanings ? `${meanings[code]} (${code})` : code;
}
