/**
 * Measures small steps with and without code that a comment in `src` justifies by its speed: `node bench/micro.ts`. One process, median CPU
 * time of nine warm runs. Each line names the file of the comment.
 */
import { measureBinary } from "./micro/binary.ts";
import { measureCallers } from "./micro/callers.ts";
import { measureCredentials } from "./micro/credentials.ts";
import { measureHttp } from "./micro/http.ts";
import { measureJson } from "./micro/json.ts";
import { measureObservation } from "./micro/observation.ts";
import { measureValidation } from "./micro/validation.ts";

measureJson();
measureBinary();
await measureValidation();
await measureCredentials();
await measureCallers();
await measureHttp();
measureObservation();
