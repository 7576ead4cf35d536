/**
 * Node's HTTP module. Not an import statement, because that reads every export and so loads Node's WebSocket with all of undici: a seventh
 * of a start (bench/start.ts).
 */
export const nodeHttp = process.getBuiltinModule("node:http");
