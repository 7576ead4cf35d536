/**
 * Node's HTTP. Not by an import statement, which reads every export, and so loads Node's WebSocket with all of undici: a seventh of a start
 * (bench/start.ts).
 */
export const nodeHttp = process.getBuiltinModule("node:http");
