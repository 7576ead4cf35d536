/** The entry of the plugin: `buf generate` runs it with buf.gen.openapi.yaml and takes gen/openapi.json from it. */
import { runNodeJs } from "@bufbuild/protoplugin";
import { openApiPlugin } from "./plugin.ts";

runNodeJs(openApiPlugin);
